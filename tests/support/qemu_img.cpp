#include "support/qemu_img.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace mynah::test {

namespace fs = std::filesystem;

bool have_qemu_img() {
    static const bool have = std::system("qemu-img --version >/dev/null 2>&1") == 0;
    return have;
}

int qemu_img(const std::string& arguments, std::string* output) {
    FILE* pipe = popen(("qemu-img " + arguments + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return -1;
    std::string text;
    std::array<char, 4096> part;
    while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
    const int status = pclose(pipe);
    if (output != nullptr) *output = text;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Folder::Folder() {
    std::string name = (fs::temp_directory_path() / "mynah-block-XXXXXX").string();
    folder_ = mkdtemp(name.data());
}

Folder::~Folder() {
    fs::remove_all(folder_);
}

std::string Folder::write_file(const std::string& name, const std::vector<u8>& bytes) const {
    std::ofstream file(folder_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
}

std::vector<u8> Folder::read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace mynah::test
