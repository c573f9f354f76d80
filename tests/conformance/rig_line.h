// The far end of a serial line or console, for boards: notes what comes, and has input that a test gives.
#pragma once

#include <span>
#include <vector>

#include "devices/host.h"
#include "rig.h"

namespace mynah::test {

struct RigLine final : CharBackend {
    Rig* rig = nullptr;
    std::vector<u8> input;
    void write(std::span<const u8> data) override {
        for (u8 b : data) rig->note(0x400u + b);
    }
    bool read(u8& byte) override {
        if (input.empty()) return false;
        byte = input.front();
        input.erase(input.begin());
        return true;
    }
    bool input_waiting() override { return !input.empty(); }
};

}  // namespace mynah::test
