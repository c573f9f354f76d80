// Small ports for firmware developers: debug console, POST code, isa-debug-exit.
#pragma once

#include <functional>
#include <string>

#include "devices/device.h"
#include "devices/host.h"

namespace mynah {

// One byte port whose output goes to the host: E9h as Bochs and QEMU have it (reads E9h), 402h for firmware
// logs.
class DebugConsole final : public Device {
  public:
    // `backend` may be null: the port is there and swallows what is written.
    DebugConsole(std::string name, CharBackend* backend, u8 readback = 0xE9)
        : name_(std::move(name)), backend_(backend), readback_(readback) {}

    std::string_view name() const override { return name_; }
    void reset() override {}
    void visit(Archive& ar) override { ar.section(name_); }
    BankInfo bank(BankId) const override { return {1, 1}; }
    u64 read(BankId, u64, unsigned) override { return readback_; }
    void write(BankId, u64, u64 value, unsigned) override {
        const u8 byte = static_cast<u8>(value);
        if (backend_) backend_->write(std::span(&byte, 1));
    }

  private:
    std::string name_;
    CharBackend* backend_;
    u8 readback_;
};

// Port 80h: the power-on self test's progress code, also everybody's I/O delay.
class PostPort final : public Device {
  public:
    u8 code() const { return code_; }

    std::string_view name() const override { return "post"; }
    void reset() override { code_ = 0; }
    void visit(Archive& ar) override {
        ar.section(name());
        ar(code_);
    }
    BankInfo bank(BankId) const override { return {1, 1}; }
    u64 read(BankId, u64, unsigned) override { return code_; }
    void write(BankId, u64, u64 value, unsigned) override { code_ = static_cast<u8>(value); }

  private:
    u8 code_ = 0;
};

// QEMU's isa-debug-exit: a write ends the emulator with exit code (value << 1) | 1.
class DebugExit final : public Device {
  public:
    // `size`: of the port range, 1 to 8 bytes. `exit` gets the exit code; it may be called more than once.
    DebugExit(u32 size, std::function<void(int code)> exit) : size_(size), exit_(std::move(exit)) {}

    std::string_view name() const override { return "isa-debug-exit"; }
    void reset() override {}
    void visit(Archive& ar) override { ar.section(name()); }
    BankInfo bank(BankId) const override { return {size_, 4}; }
    u64 read(BankId, u64, unsigned) override { return 0; }
    void write(BankId, u64, u64 value, unsigned) override {
        if (exit_) exit_(static_cast<int>(static_cast<u32>(value) << 1 | 1));
    }

  private:
    u32 size_;
    std::function<void(int code)> exit_;
};

}  // namespace mynah
