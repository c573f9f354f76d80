// VMware's "backdoor", port 5658h, with the commands of its mouse: a guest's driver reads where the pointer
// is, instead of how it has moved.
//
// The port is unlike others: IN exchanges the processor's registers. VMware's open-vm-tools (backdoor_def.h)
// and the vmmouse X driver (vmmouse_defs.h) document the commands.
#pragma once

#include <functional>
#include <vector>

#include "devices/device.h"
#include "devices/ps2_mouse.h"

namespace mynah {

struct VmPortRegisters {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0, esi = 0, edi = 0;
};

class VmPort final : public Device {
  public:
    enum Bank : BankId { port };  // 5658h, four ports for one doubleword

    // The registers of the processor that reads the port, as it executes IN; what `set` gets it has
    // afterwards, but for EAX, which is what the read returns.
    struct Processor {
        std::function<VmPortRegisters()> get;
        std::function<void(const VmPortRegisters&)> set;
    };

    // `mouse`: is made to interrupt, so that the guest's driver looks here. Must outlive the device.
    // `memory`: in bytes, for who asks.
    VmPort(Ps2Mouse& mouse, u64 memory, Processor processor);

    // The guest's driver takes what the pointer does, and PS/2 packets only tell it to look.
    bool enabled() const { return enabled_; }
    // It wants positions.
    bool absolute() const { return enabled_ && absolute_; }
    // Position from 0 to 65,535 in each direction, buttons as Ps2Mouse::Button, wheel towards the user.
    void position(u16 across, u16 down, u8 buttons, int wheel);
    // For a driver that wants movements from here.
    void move(int dx, int dy, u8 buttons, int wheel);

    std::string_view name() const override { return "vmport"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {4, 4}; }
    u64 read(BankId bank, u64 offset, unsigned width) override;
    void write(BankId, u64, u64, unsigned) override {}

  private:
    // Words, four an event; as many as QEMU keeps.
    static constexpr size_t kMostWords = 1024;

    bool execute(VmPortRegisters& r);
    void pointer_command(u32 what);
    void pointer_data(VmPortRegisters& r);
    void disable();
    void add(u32 buttons, u32 x, u32 y, int wheel);

    Ps2Mouse& mouse_;
    u64 memory_;
    Processor processor_;
    bool enabled_ = false;
    bool absolute_ = false;
    bool failed_ = true;  // the status says so until the driver asks for the version
    std::vector<u32> words_;
};

}  // namespace mynah
