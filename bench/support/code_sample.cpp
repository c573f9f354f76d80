#include "support/code_sample.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/bits.h"
#include "mmu/physical_map.h"

namespace mynah::bench {

namespace {

constexpr u32 kDynsym = 11;
constexpr u8 kFunction = 2;

// Fields of ELF files of either width.
class Elf {
  public:
    Elf(const std::vector<u8>& image, bool wide) : image_(image), wide_(wide) {}

    bool valid() const {
        return image_.size() > 64 && std::memcmp(image_.data(), wide_ ? "\177ELF\2" : "\177ELF\1", 5) == 0;
    }
    struct Section {
        u32 type;
        u64 address, offset, size;
        bool code;
    };
    std::vector<Section> sections() const {
        const u64 table = word(wide_ ? 40 : 32), each = wide_ ? 64 : 40;
        const unsigned count = load_le<u16>(&image_[wide_ ? 60 : 48]);
        std::vector<Section> out;
        for (unsigned n = 0; n < count && table + each * (n + 1) <= image_.size(); ++n) {
            const u64 h = table + each * n;
            Section s{.type = load_le<u32>(&image_[h + 4]),
                      .address = word(h + (wide_ ? 16 : 12)),
                      .offset = word(h + (wide_ ? 24 : 16)),
                      .size = word(h + (wide_ ? 32 : 20)),
                      .code = (word(h + 8) & 4) != 0};
            if (s.offset <= image_.size() && s.size <= image_.size() - s.offset) out.push_back(s);
        }
        return out;
    }
    std::vector<u64> functions(const Section& symbols) const {
        std::vector<u64> out;
        const u64 each = wide_ ? 24 : 16;
        for (u64 at = symbols.offset; at + each <= symbols.offset + symbols.size; at += each) {
            const u8 info = image_[at + (wide_ ? 4 : 12)];
            if ((info & 15) == kFunction) out.push_back(word(at + (wide_ ? 8 : 4)));
        }
        return out;
    }

  private:
    u64 word(u64 at) const { return wide_ ? load_le<u64>(&image_[at]) : load_le<u32>(&image_[at]); }
    const std::vector<u8>& image_;
    bool wide_;
};

}  // namespace

CodeSample c_library(bool wide) {
    CodeSample sample;
    for (const char* path : wide ? std::vector{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6"}
                                 : std::vector{"/lib32/libc.so.6", "/lib/i386-linux-gnu/libc.so.6"}) {
        std::ifstream file(path, std::ios::binary);
        const std::vector<u8> image((std::istreambuf_iterator<char>(file)), {});
        const Elf elf(image, wide);
        if (!elf.valid()) continue;
        u64 end = 0;
        std::vector<u64> functions;
        for (const auto& s : elf.sections()) {
            if (s.type == kDynsym) functions = elf.functions(s);
            // The largest section of code, which is .text.
            if (!s.code || s.size < end - sample.address) continue;
            sample.address = s.address & ~kPageMask;
            sample.bytes.assign(s.address - sample.address, 0);
            const auto from = image.begin() + static_cast<std::ptrdiff_t>(s.offset);
            sample.bytes.insert(sample.bytes.end(), from, from + static_cast<std::ptrdiff_t>(s.size));
            end = s.address + s.size;
        }
        sample.bytes.resize(align_up(sample.bytes.size(), kPageSize));
        for (const u64 f : functions) {
            if (f >= sample.address && f < end) sample.entries.push_back(f - sample.address);
        }
        std::ranges::sort(sample.entries);
        const auto repeated = std::ranges::unique(sample.entries);
        sample.entries.erase(repeated.begin(), repeated.end());
        return sample;
    }
    return sample;
}

}  // namespace mynah::bench
