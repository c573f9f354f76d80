// Zydis, for tests of generated code.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <span>
#include <string>

#include "base/types.h"

namespace mynah::test {

struct Decoded {
    bool ok = false;
    ZydisDecodedInstruction insn{};
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
    std::string text;
};

class Disassembler {
  public:
    explicit Disassembler(unsigned bits = 64) {
        ZydisDecoderInit(&decoder_,
                         bits == 64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                         bits == 64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
        ZydisFormatterInit(&formatter_, ZYDIS_FORMATTER_STYLE_INTEL);
        ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
        ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
                                  ZYDIS_PADDING_DISABLED);
        ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_DISP_PADDING, ZYDIS_PADDING_DISABLED);
        ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_IMM_PADDING, ZYDIS_PADDING_DISABLED);
    }

    Decoded operator()(std::span<const u8> code, u64 address = 0) const {
        Decoded d;
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeFull(&decoder_, code.data(), code.size(), &d.insn, d.operands.data())))
            return d;
        d.ok = true;
        char text[128];
        ZydisFormatterFormatInstruction(&formatter_, &d.insn, d.operands.data(), d.insn.operand_count_visible,
                                        text, sizeof text, address, nullptr);
        d.text = text;
        return d;
    }

  private:
    ZydisDecoder decoder_{};
    ZydisFormatter formatter_{};
};

}  // namespace mynah::test
