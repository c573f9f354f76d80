// The host code of guest instructions, as text, against tests/jit/golden: what a change does to the code that
// is made shows in review. MYNAH_GOLDEN=update writes the files anew.
//
// Each case is one or a few instructions and a HLT, whose own code is not shown; nor are the entry from
// outside and where it leaves for want of budget.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "jit/disassembler.h"
#include "support/translation.h"

namespace mynah::test {
namespace {

constexpr u64 kPageRip32 = 0xC100'1000, kPageRip64 = 0xFFFF'FFFF'8100'1000;
constexpr u8 kHlt = 0xF4;

// first_step: 64-bit code on hosts where OF of a shift by several is that of its first step.
enum Modes : u8 { in32 = 1, in64 = 2, both = 3, first_step = 4 };

struct Case {
    Modes modes;
    const char* bytes;  // hexadecimal
};

struct Family {
    const char* name;
    std::vector<Case> cases;
};

const std::vector<Family>& families() {
    static const std::vector<Family> all = {
        {"alu",
         {
             {both, "01 d8"},           // add eax, ebx
             {both, "83 c0 07"},        // add eax, 7
             {both, "01 d8 31 c9"},     // the same, flags dead
             {in64, "48 01 d8"},        // add rax, rbx
             {in64, "4d 01 c8"},        // add r8, r9: one in the state
             {both, "66 01 d8"},        // add ax, bx
             {both, "00 d9"},           // add cl, bl
             {both, "00 e1"},           // add cl, ah
             {both, "03 43 08"},        // add eax, [ebx+8]
             {both, "01 43 08"},        // add [ebx+8], eax
             {both, "01 43 08 31 c0"},  // the same, flags dead
             {both, "f0 01 43 08"},     // lock add [ebx+8], eax
             {both, "80 7c 8b 10 41"},  // cmp byte [ebx+ecx*4+16], 'A'
             {both, "11 d8"},           // adc eax, ebx
             {both, "01 d8 11 ca"},     // add eax, ebx; adc edx, ecx
             {both, "19 c0"},           // sbb eax, eax
             {both, "ff c0"},           // inc eax
             {both, "f7 d8"},           // neg eax
             {both, "f7 53 08"},        // not dword [ebx+8]
             {both, "85 c0"},           // test eax, eax
             {both, "a8 01"},           // test al, 1
         }},
        {"move",
         {
             {both, "89 d8"},                 // mov eax, ebx
             {both, "8b 43 08"},              // mov eax, [ebx+8]
             {both, "89 43 08"},              // mov [ebx+8], eax
             {both, "c7 43 08 78 56 34 12"},  // mov dword [ebx+8], 12345678h
             {both, "8b 43 08 8b 4b 0c"},     // two loads from one base
             {both,
              "8b 43 08 01 c8 01 43 04 75 03"},  // a store, which takes the write table; flags for a jump
             {both, "8b 1b 8b 5b 04"},           // the base is another one then
             {both, "39 d8 8b 43 08"},           // cmp; a load that has to keep the flags
             {in32, "a1 00 20 00 00"},           // mov eax, [2000h]
             {in64, "48 8b 05 00 10 00 00"},     // mov rax, [rip+1000h]
             {in64, "4d 8b 51 08"},              // mov r10, [r9+8]
             {both, "65 8b 03"},                 // mov eax, gs:[ebx]
             {both, "0f b6 43 08"},              // movzx eax, byte [ebx+8]
             {both, "0f be c3"},                 // movsx eax, bl
             {both, "8d 44 8b 10"},              // lea eax, [ebx+ecx*4+16]
             {both, "88 63 01"},                 // mov [ebx+1], ah
             {both, "87 d8"},                    // xchg eax, ebx
             {both, "0f b1 0b"},                 // cmpxchg [ebx], ecx
             {both, "0f c8"},                    // bswap eax
         }},
        {"shift_multiply",
         {
             {both, "c1 e0 03"},              // shl eax, 3
             {both, "d3 e8"},                 // shr eax, cl
             {both, "c1 f8 1f 31 c9"},        // sar eax, 31, flags dead
             {both, "c1 c0 07"},              // rol eax, 7
             {both, "d1 d8"},                 // rcr eax, 1
             {both, "c1 63 08 02"},           // shl dword [ebx+8], 2
             {both, "0f ac d0 05"},           // shrd eax, edx, 5
             {both, "0f af c3"},              // imul eax, ebx
             {both, "6b 43 08 0a"},           // imul eax, [ebx+8], 10
             {both, "f7 e3"},                 // mul ebx
             {both, "f7 f3"},                 // div ebx
             {both, "f7 7b 08"},              // idiv dword [ebx+8]
             {both, "99"},                    // cdq
             {both, "0f a3 c8"},              // bt eax, ecx
             {both, "0f bc c3"},              // bsf eax, ebx
             {in64, "48 f7 e3"},              // mul rbx
             {first_step, "c1 e0 03"},        // shl eax, 3
             {first_step, "c1 e0 03 31 c9"},  // the same, flags dead
             {first_step, "c1 c0 07"},        // rol eax, 7
             {first_step, "c1 6b 08 02"},     // shr dword [ebx+8], 2
             {first_step, "d3 e0"},           // shl eax, cl
             {first_step, "48 d3 e8"},        // shr rax, cl
         }},
        {"stack_calls",
         {
             {both, "53"},              // push ebx
             {both, "68 78 56 34 12"},  // push 12345678h
             {both, "ff 73 08"},        // push [ebx+8]
             {both, "5b"},              // pop ebx
             {both, "c9"},              // leave
             {both, "e8 00 01 00 00"},  // call in the page
             {both, "e8 00 01 10 00"},  // call to another page
             {both, "ff d3"},           // call ebx
             {both, "ff 53 08"},        // call [ebx+8]
             {both, "53 ff 54 24 04"},  // push ebx; call [esp+4]
             {both, "53 56 5b c3"},     // push ebx; push esi; pop ebx; ret
             {both, "c3"},              // ret
             {both, "c2 08 00"},        // ret 8
             {both, "ff e3"},           // jmp ebx
             {both, "ff 24 8b"},        // jmp [ebx+ecx*4]
         }},
        {"branch",
         {
             {both, "39 d8 74 01 90"},                 // cmp eax, ebx; je
             {both, "83 38 00 7c 01 90"},              // cmp dword [eax], 0; jl
             {both, "85 c0 0f 85 00 01 10 00"},        // test; jne to another page
             {both, "ff c9 75 fc"},                    // l: dec ecx; jne l
             {both, "c6 04 02 00 01 c8 39 f0 75 f6"},  // l: mov byte [edx+eax], 0; add eax, ecx; cmp eax,
                                                       // esi; jne l
             {in64, "f2 0f 10 02 48 83 c2 08 f2 0f 58 c8 48 39 ca 75 ef"},  // a sum of doubles
             {both, "e2 fe"},                                               // loop to itself
             {both, "e3 01 90"},                                            // jecxz
             {both, "e9 00 01 10 00"},                                      // jmp to another page
             {both, "39 d8 0f 94 c0"},                                      // cmp; sete al
             {both, "39 d8 0f 4c c3"},                                      // cmp; cmovl eax, ebx
             {both, "0f 44 43 08"},                                         // cmove eax, [ebx+8]
         }},
        {"vector",
         {
             {both, "0f 28 c1"},                 // movaps xmm0, xmm1
             {both, "0f 10 43 10"},              // movups xmm0, [ebx+16]
             {both, "0f 28 43 10"},              // movaps xmm0, [ebx+16]: alignment
             {both, "0f 28 03 0f 29 43 10"},     // two of one base, aligned alike
             {both, "f2 0f 58 c1"},              // addsd xmm0, xmm1
             {both, "f2 0f 59 43 08"},           // mulsd xmm0, [ebx+8]
             {both, "66 0f 2e c1"},              // ucomisd xmm0, xmm1
             {both, "f2 0f 2c c0"},              // cvttsd2si eax, xmm0
             {both, "66 0f 6e c0"},              // movd xmm0, eax
             {both, "66 0f ef c0"},              // pxor xmm0, xmm0
             {both, "0f 11 43 10"},              // movups [ebx+16], xmm0
             {both, "f2 0f 58 c1 f2 0f 58 c2"},  // two of them
             {both, "c5 f5 fe c2"},              // vpaddd ymm0, ymm1, ymm2
             {both, "c5 fe 6f 43 20"},           // vmovdqu ymm0, [ebx+32]
             {both, "c5 f8 77"},                 // vzeroupper
         }},
        {"x87",
         {
             {both, "d9 43 08"},           // fld dword [ebx+8]
             {both, "dd 43 08 dc 4b 10"},  // fld qword [ebx+8]; fmul qword [ebx+16]
             {both, "de c1"},              // faddp
             {both, "dd 5b 08"},           // fstp qword [ebx+8]
             {both, "df f1"},              // fcomip
             {both, "df e0"},              // fnstsw ax
             {both, "d9 7b 08"},           // fnstcw [ebx+8]
             {both, "d9 6b 08"},           // fldcw [ebx+8]
             {both, "d9 fe"},              // fsin
         }},
        {"string",
         {
             {both, "aa"},     // stosb
             {both, "f3 aa"},  // rep stosb
             {both, "a5"},     // movsd
             {both, "f3 a5"},  // rep movsd
             {both, "ac"},     // lodsb
             {both, "f3 a6"},  // repe cmpsb
         }},
        {"system",
         {
             {both, "fa"},        // cli
             {both, "fb 90"},     // sti; nop
             {both, "9c"},        // pushf
             {both, "9d"},        // popf
             {both, "9c 5b"},     // pushf; pop ebx
             {both, "fc"},        // cld
             {both, "f8"},        // clc
             {both, "9f"},        // lahf
             {both, "0f a2"},     // cpuid
             {both, "0f 31"},     // rdtsc
             {both, "0f 20 d8"},  // mov eax, cr3
             {in64, "0f 01 f8"},  // swapgs
             {in64, "0f 05"},     // syscall
             {both, "cd 80"},     // int 80h
             {both, "cf"},        // iret
             {both, "ec"},        // in al, dx
         }},
    };
    return all;
}

std::vector<u8> parse(const char* text) {
    std::vector<u8> bytes;
    std::istringstream in(text);
    for (unsigned v; in >> std::hex >> v;) bytes.push_back(static_cast<u8>(v));
    return bytes;
}

std::string hex(std::span<const u8> bytes) {
    std::string text;
    for (const u8 b : bytes) text += fmt::format("{:02x}", b);
    return text;
}

class Listing {
  public:
    Listing(u8 code_size, const char* bytes, bool overflow_of_last_step = true)
        : code_size_(code_size), guest_(code_size * 8u), translation_(overflow_of_last_step) {
        page_.assign(kPageSize, kHlt);
        const std::vector<u8> code = parse(bytes);
        std::ranges::copy(code, page_.begin() + kAt);
        const ModeBits mode = Translation::flat_mode(code_size);
        const u64 rip = code_size == 8 ? kPageRip64 : kPageRip32;
        made_ =
            translation_.find(region_, page_.data(), rip, kAt, mode) && translation_.translate(region_, mode);
        if (made_) decode_all();
    }

    std::string text() const {
        if (!made_) return "not translated\n";
        std::string out;
        const size_t shown = shown_insns();
        for (size_t n = 0; n < shown; ++n) {
            const u32 from = offset_of(n), to = offset_of(n + 1);
            const Entry& e = region_.insns[n];
            const u8* at = &page_[e.offset];
            const std::string guest = guest_({at, e.insn.length}, region_.rip_of(e)).text;
            const auto [count, bytes] = size_of(from, to);
            out += fmt::format("{:<18} {:<34} ; {} host, {} bytes\n", hex({at, e.insn.length}), guest, count,
                               bytes);
            out += lines(from, to);
        }
        // Jumps to the HLT end here.
        if (shown < region_.insns.size()) out += label_at(offset_of(shown));
        const u32 stubs = region_.stubs_offset;
        const auto [count, bytes] = size_of(stubs, region_.code_bytes);
        if (count != 0) {
            out += fmt::format("  stubs {:<46} ; {} host, {} bytes\n", "", count, bytes);
            out += lines(stubs, region_.code_bytes);
        }
        return out;
    }

  private:
    static constexpr u32 kAt = 0x100;

    struct Line {
        u32 length;
        std::string text;
        std::string target;  // replaces a jump's address
        u64 to = ~u64{0};    // offset in the region
    };

    size_t shown_insns() const {
        return region_.insns.size() - (region_.insns.back().insn.op == Op::HLT ? 1 : 0);
    }
    u32 offset_of(size_t insn) const {
        return insn < region_.host_offsets.size() ? region_.host_offsets[insn] : region_.stubs_offset;
    }

    void decode_all() {
        const u8* code = region_.code;
        for (u32 at = 0; at < region_.code_bytes;) {
            const Decoded d = host_({code + at, region_.code_bytes - at}, Translation::kRegionAt + at);
            if (!d.ok) {
                ADD_FAILURE() << "no instruction at " << at << ": " << hex({code + at, 8});
                return;
            }
            lines_[at] = name_operands(d, at);
            at += d.insn.length;
        }
        hide_entries();
        for (auto it = lines_.find(offset_of(shown_insns())); it != lines_.end(); ++it) {
            if (it->first < region_.stubs_offset) hidden_.insert(it->first);
        }
        // In the order of the code; only what is shown needs labels.
        std::set<u64> targets;
        for (const auto& [at, line] : lines_) {
            if (line.to != ~u64{0} && !hidden_.contains(at)) targets.insert(line.to);
        }
        for (const u64 t : targets) labels_[t] = fmt::format("L{}", labels_.size() + 1);
    }

    Line name_operands(const Decoded& d, u32 at) {
        Line line{.length = d.insn.length, .text = d.text, .target = {}};
        for (unsigned n = 0; n < d.insn.operand_count_visible; ++n) {
            const ZydisDecodedOperand& o = d.operands[n];
            const bool memory = o.type == ZYDIS_OPERAND_TYPE_MEMORY;
            if (memory && o.mem.segment == ZYDIS_REGISTER_GS) {
                replace(line.text, "gs:[", Translation::name_of_state(static_cast<u64>(o.mem.disp.value)),
                        "]");
            }
            const bool relative = (o.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o.imm.is_relative) ||
                                  (memory && o.mem.base == ZYDIS_REGISTER_RIP);
            if (!relative) continue;
            ZyanU64 address = 0;
            ZydisCalcAbsoluteAddress(&d.insn, &o, Translation::kRegionAt + at, &address);
            line.target = translation_.name_of_code(address);
            if (line.target.empty()) line.to = address - Translation::kRegionAt;
            const size_t from = line.text.rfind("0x");
            line.text = line.text.substr(0, from) + "@" + (memory ? "]" : "");
        }
        return line;
    }

    static void replace(std::string& text, const char* before, const std::string& name, const char* end) {
        const size_t from = text.find(before) + std::string_view(before).size();
        text = text.substr(0, from) + name + text.substr(text.find(end, from));
    }

    // Entries are cmp, jl, jmp; what the jl leads to ends with a jump to `exit`.
    void hide_entries() {
        auto it = lines_.find(region_.stubs_offset);
        for (const Region::Exported& e : region_.entries) {
            const u32 at = static_cast<u32>(e.code - region_.code);
            if (at == 0) {
                hide_stub(std::next(lines_.begin())->second.to);
                for (auto line = lines_.begin(); line->first < region_.host_offsets[0]; ++line)
                    hidden_.insert(line->first);
            }
            if (at < region_.stubs_offset) continue;
            for (unsigned n = 0; n < 3; ++n, ++it) {
                hidden_.insert(it->first);
                if (n == 1) hide_stub(it->second.to);
            }
        }
    }

    void hide_stub(u64 at) {
        for (auto line = lines_.find(static_cast<u32>(at)); line != lines_.end(); ++line) {
            hidden_.insert(line->first);
            if (line->second.target == "exit") break;
        }
    }

    std::pair<u32, u32> size_of(u32 from, u32 to) const {
        u32 count = 0, bytes = 0;
        for (auto it = lines_.find(from); it != lines_.end() && it->first < to; ++it) {
            if (hidden_.contains(it->first)) continue;
            ++count;
            bytes += it->second.length;
        }
        return {count, bytes};
    }

    std::string label_at(u32 at) const {
        const auto l = labels_.find(at);
        return l == labels_.end() ? std::string() : "  " + l->second + ":\n";
    }

    std::string lines(u32 from, u32 to) const {
        std::string out;
        for (auto it = lines_.find(from); it != lines_.end() && it->first < to; ++it) {
            if (hidden_.contains(it->first)) continue;
            out += label_at(it->first);
            std::string text = it->second.text;
            if (const size_t mark = text.find('@'); mark != std::string::npos) {
                const auto l = labels_.find(it->second.to);
                text.replace(mark, 1, l == labels_.end() ? it->second.target : l->second);
            }
            out += "      " + text + "\n";
        }
        return out;
    }

    u8 code_size_;
    Disassembler guest_, host_;
    Translation translation_;
    std::vector<u8> page_;
    Region region_;
    bool made_ = false;
    std::map<u32, Line> lines_;
    std::set<u32> hidden_;
    std::map<u64, std::string> labels_;
};

std::string listing_of(const Family& family) {
    std::string out;
    for (const u8 code_size : {u8{4}, u8{8}}) {
        for (const Case& c : family.cases) {
            if (!(c.modes & (code_size == 8 ? in64 : in32))) continue;
            out += fmt::format("=== {}-bit\n{}\n", code_size * 8, Listing(code_size, c.bytes).text());
        }
    }
    for (const Case& c : family.cases) {
        if (c.modes == first_step)
            out += fmt::format("=== 64-bit, OF of the first step\n{}\n", Listing(8, c.bytes, false).text());
    }
    return out;
}

class Golden : public testing::TestWithParam<size_t> {};

TEST_P(Golden, Code) {
    const Family& family = families()[GetParam()];
    const std::string path = fmt::format("{}/{}.txt", MYNAH_GOLDEN_FOLDER, family.name);
    const std::string is = listing_of(family);
    const char* mode = std::getenv("MYNAH_GOLDEN");
    if (mode != nullptr && std::string_view(mode) == "update") {
        std::ofstream(path) << is;
        return;
    }
    std::ifstream file(path);
    const std::string was((std::istreambuf_iterator<char>(file)), {});
    if (is == was) return;
    std::istringstream a(was), b(is);
    std::string line_a, line_b;
    unsigned n = 0;
    do {
        ++n;
        if (!std::getline(a, line_a)) line_a = "(the end)";
        if (!std::getline(b, line_b)) line_b = "(the end)";
    } while (line_a == line_b);
    ADD_FAILURE() << path << ":" << n << "\n  was: " << line_a << "\n  is:  " << line_b
                  << "\nMYNAH_GOLDEN=update writes it anew; look at the difference then.";
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, testing::Range(size_t{0}, families().size()),
                         [](const auto& p) { return std::string(families()[p.param].name); });

}  // namespace
}  // namespace mynah::test
