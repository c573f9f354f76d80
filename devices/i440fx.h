// Intel 440FX host bridge, device 0 (82441FX data sheet, order no. 290549): PAM shadowing and the SMRAM
// switch.
#pragma once

#include "devices/pci.h"

namespace mynah {

class I440fx final : public PciFunction {
  public:
    // Firmware knows the board by the subsystem id 1AF4:1100.
    explicit I440fx(PhysicalMap& memory);

    std::string_view name() const override { return "i440fx"; }
    void reset() override;
    void visit(Archive& ar) override;
    BankInfo bank(BankId) const override { return {}; }
    u64 read(BankId, u64, unsigned) override { return ~u64{0}; }
    void write(BankId, u64, u64, unsigned) override {}

  protected:
    void config_written(u8 offset, unsigned width) override;

  private:
    void apply_pam();
    void apply_smram();

    PhysicalMap& memory_;
};

}  // namespace mynah
