// `mynah img create|info|check|convert`: disk images without a machine. Options as qemu-img's.
#pragma once

#include <span>
#include <string>

namespace mynah {

// `arguments`: what follows "img". Returns the exit code: 0; 2: an error, said in one line; check: 1 if it
// could not look, 2 damaged, 3 leaks alone, 63 a format that has nothing to check.
int run_img_command(std::span<const std::string> arguments);

}  // namespace mynah
