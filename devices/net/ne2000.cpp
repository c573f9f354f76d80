#include "devices/net/ne2000.h"

namespace mynah {

Ne2000Pci::Ne2000Pci(std::string name, EventQueue& queue, NetBackend* backend, const net::MacAddress& mac,
                     std::span<const u8> rom)
    : PciFunction({.vendor = 0x10EC, .device = 0x8029, .class_code = 0x020000, .interrupt_pin = 1}),
      name_(std::move(name)),
      rom_(rom),
      chip_(queue, backend, mac, true, IrqLine([this](bool level) { set_interrupt(level); })) {
    add_io_bar(0, 256, ports);
    if (!rom_.empty()) add_rom_bar(rom_.bytes());
}

void Ne2000Pci::reset() {
    reset_config();
    chip_.reset();
}

void Ne2000Pci::visit(Archive& ar) {
    ar.section(name());
    visit_config(ar);
    chip_.visit(ar);
}

u64 Ne2000Pci::read(BankId, u64 offset, unsigned width) {
    return offset < Dp8390::kPorts ? chip_.read(offset, width) : (u64{1} << 8 * width) - 1;
}

void Ne2000Pci::write(BankId, u64 offset, u64 value, unsigned width) {
    if (offset < Dp8390::kPorts) chip_.write(offset, value, width);
}

void Ne2000Isa::visit(Archive& ar) {
    ar.section(name());
    chip_.visit(ar);
}

}  // namespace mynah
