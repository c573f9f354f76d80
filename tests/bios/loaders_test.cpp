// The loaders against images made here: what goes where, and what is refused.
#include <gtest/gtest.h>

#include "bios/kernel.h"
#include "bios/ram_plan.h"

namespace mynah {
namespace {

const MemorySegment* find_segment(const BootImage& image, std::string_view name) {
    for (const MemorySegment& s : image.segments) {
        if (s.name == name) return &s;
    }
    return nullptr;
}

KernelRequest request(Bytes kernel, u64 memory = 256 * MiB) {
    KernelRequest r;
    r.name = "k";
    r.kernel = std::move(kernel);
    r.e820 = e820_map({memory, 0}, 8192);
    return r;
}

Bytes make_bzimage(u16 version, u16 xloadflags = 0) {
    Bytes k(5 * 512 + 4096);
    k[0x1F1] = 4;
    store_le<u16>(&k[0x1FE], 0xAA55);
    k[0x200] = 0xEB;
    k[0x201] = 0x66;
    store_le<u32>(&k[0x202], 0x53726448);
    store_le<u16>(&k[0x206], version);
    k[0x211] = 1;
    store_le<u32>(&k[0x22C], 0x7FFFFFFF);
    store_le<u32>(&k[0x230], 0x200000);
    k[0x234] = 1;
    store_le<u16>(&k[0x236], xloadflags);
    store_le<u32>(&k[0x238], 100);
    store_le<u64>(&k[0x258], 0x1000000);
    store_le<u32>(&k[0x260], 0x500000);
    k[5 * 512] = 0x99;
    return k;
}

TEST(Linux, Enters32Bit) {
    KernelRequest r = request(make_bzimage(0x20F));
    r.command_line = "console=ttyS0";
    r.modules.push_back({Bytes(5000, 7), "initrd"});
    r.rsdp = 0xF0000;
    auto image = load_kernel(r);
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image->entry.mode, CpuEntry::Mode::protected32);
    EXPECT_EQ(image->entry.rip, 0x1000000u);
    EXPECT_EQ(image->entry.cr0, 0x11u);
    const MemorySegment* zero = find_segment(*image, "zero page");
    ASSERT_TRUE(zero);
    EXPECT_EQ(image->entry.rsi, zero->address);
    EXPECT_EQ(field<u32>(zero->data, 0x214), 0x1000000u);
    EXPECT_EQ(field<u64>(zero->data, 0x70), 0xF0000u);
    EXPECT_EQ(zero->data[0x1E8], r.e820.size());
    const MemorySegment* text = find_segment(*image, "command line");
    ASSERT_TRUE(text);
    EXPECT_EQ(field<u32>(zero->data, 0x228), text->address);
    EXPECT_STREQ(reinterpret_cast<const char*>(text->data.data()), "console=ttyS0");
    const MemorySegment* initrd = find_segment(*image, "initrd");
    ASSERT_TRUE(initrd);
    EXPECT_EQ(field<u32>(zero->data, 0x218), initrd->address);
    EXPECT_EQ(field<u32>(zero->data, 0x21C), 5000u);
    EXPECT_EQ(initrd->address % 4096, 0u);
    EXPECT_EQ(find_segment(*image, "kernel")->data[0], 0x99);
}

TEST(Linux, Enters64BitWhereBothCan) {
    KernelRequest r = request(make_bzimage(0x20F, 1));
    auto image = load_kernel(r);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image->entry.mode, CpuEntry::Mode::long64);
    EXPECT_EQ(image->entry.rip, 0x1000200u);
    const MemorySegment* tables = find_segment(*image, "identity page tables");
    ASSERT_TRUE(tables);
    EXPECT_EQ(image->entry.cr3, tables->address);
    EXPECT_EQ(field<u64>(tables->data, 0x2000 + 8 * 511), (511u << 21 | 0x83u));
    EXPECT_EQ(field<u64>(tables->data, 0x2000 + 8 * 2047), (u64{2047} << 21 | 0x83u));
    r.cpu_has_long_mode = false;
    EXPECT_EQ(load_kernel(r)->entry.mode, CpuEntry::Mode::protected32);
}

TEST(Linux, OldProtocolsGetTheirParametersInTheOldPlaces) {
    Bytes k = make_bzimage(0x201);
    KernelRequest r = request(k);
    r.command_line = "x";
    auto image = load_kernel(r);
    ASSERT_TRUE(image.ok());
    EXPECT_EQ(image->entry.rip, 0x100000u);
    const MemorySegment* zero = find_segment(*image, "zero page");
    EXPECT_EQ(zero->address, 0x90000u);
    EXPECT_EQ(field<u16>(zero->data, 0x20), 0xA33F);
    EXPECT_EQ(zero->address + field<u16>(zero->data, 0x22), find_segment(*image, "command line")->address);
}

TEST(Linux, RelocatesWhenThePreferredAddressIsNotThere) {
    auto image = load_kernel(request(make_bzimage(0x20F), 14 * MiB));
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image->entry.rip, 0x200000u);
}

TEST(Linux, RefusesWhatDoesNotFit) {
    KernelRequest big = request(make_bzimage(0x20F));
    big.modules.push_back({Bytes(300 * MiB), "initrd"});
    EXPECT_NE(load_kernel(big).error().message.find("does not fit"), std::string::npos);
    KernelRequest text = request(make_bzimage(0x20F));
    text.command_line = std::string(101, 'x');
    EXPECT_NE(load_kernel(text).error().message.find("at most 100"), std::string::npos);
    EXPECT_NE(load_kernel(request(make_bzimage(0x20F), 4 * MiB)).error().message.find("-m"),
              std::string::npos);
    Bytes cut = make_bzimage(0x20F);
    cut.resize(1000);
    EXPECT_NE(load_kernel(request(cut)).error().message.find("cut short"), std::string::npos);
    // By its own header the file is longer; a signature behind it does no harm.
    Bytes half = make_bzimage(0x20F);
    store_le<u32>(&half[0x1F4], 4096 / 16);
    half.resize(half.size() + 100);
    EXPECT_TRUE(load_kernel(request(half)).ok());
    half.resize(5 * 512 + 2048);
    EXPECT_NE(load_kernel(request(half)).error().message.find("cut short: 4608 bytes of 6656"),
              std::string::npos);
}

TEST(Kernel, SaysWhatItIsNot) {
    EXPECT_EQ(load_kernel(request(Bytes(4096))).error().message,
              "kernel \"k\" is not a bzImage, multiboot or PVH image");
    EXPECT_NE(load_kernel(request({0x1F, 0x8B, 8, 0})).error().message.find("gunzip"), std::string::npos);
    EXPECT_FALSE(load_kernel(request({})).ok());
}

TEST(Kernel, SplitsModules) {
    EXPECT_EQ(split_modules("a b,c"), (std::vector<std::string>{"a b", "c"}));
    EXPECT_EQ(split_modules("a,,b"), (std::vector<std::string>{"a,b"}));
    EXPECT_TRUE(split_modules("").empty());
}

// An ELF32 or ELF64 file with one loadable segment at 1 MiB (virtual C0100000h), a note, and `head` at the
// segment's start.
Bytes make_elf(bool wide, const Bytes& head, bool note) {
    Bytes f(0x400);
    f[0] = 0x7F;
    f[1] = 'E';
    f[2] = 'L';
    f[3] = 'F';
    f[4] = wide ? 2 : 1;
    f[5] = 1;
    store_le<u16>(&f[16], 2);
    store_le<u16>(&f[18], wide ? 62 : 3);
    const auto word = [&](size_t at, u64 v) {
        wide ? store_le<u64>(&f[at], v) : store_le<u32>(&f[at], static_cast<u32>(v));
    };
    word(24, 0xC0100040);
    word(wide ? 32 : 28, 0x80);
    const u16 size = wide ? 56 : 32;
    store_le<u16>(&f[wide ? 54 : 42], size);
    store_le<u16>(&f[wide ? 56 : 44], note ? 2 : 1);
    const auto header = [&](size_t at, u32 type, u64 offset, u64 bytes, u64 memory) {
        store_le<u32>(&f[at], type);
        if (wide) {
            store_le<u32>(&f[at + 4], 5);
            store_le<u64>(&f[at + 8], offset);
            store_le<u64>(&f[at + 16], 0xC0100000);
            store_le<u64>(&f[at + 24], 0x100000);
            store_le<u64>(&f[at + 32], bytes);
            store_le<u64>(&f[at + 40], memory);
        } else {
            store_le<u32>(&f[at + 4], static_cast<u32>(offset));
            store_le<u32>(&f[at + 8], 0xC0100000);
            store_le<u32>(&f[at + 12], 0x100000);
            store_le<u32>(&f[at + 16], static_cast<u32>(bytes));
            store_le<u32>(&f[at + 20], static_cast<u32>(memory));
            store_le<u32>(&f[at + 24], 5);
        }
    };
    header(0x80, 1, 0x200, 0x100, 0x5000);
    if (note) {
        header(0x80u + size, 4, 0x300, 20, 20);
        store_le<u32>(&f[0x300], 4);
        store_le<u32>(&f[0x304], 4);
        store_le<u32>(&f[0x308], 18);
        f[0x30C] = 'X';
        f[0x30D] = 'e';
        f[0x30E] = 'n';
        store_le<u32>(&f[0x310], 0x100080);
    }
    std::copy(head.begin(), head.end(), f.begin() + 0x200);
    return f;
}

Bytes multiboot_header(u32 flags, std::initializer_list<u32> more = {}) {
    ByteBuilder b;
    b.put32(0x1BADB002);
    b.put32(flags);
    b.put32(0u - 0x1BADB002u - flags);
    for (u32 v : more) b.put32(v);
    return b.take();
}

TEST(Multiboot, LoadsElf) {
    KernelRequest r = request(make_elf(false, multiboot_header(7), false));
    r.command_line = "a b";
    r.modules.push_back({Bytes(10, 1), "m1 args"});
    r.modules.push_back({Bytes(10000, 2), "m2"});
    auto image = load_kernel(r);
    ASSERT_TRUE(image.ok()) << image.error().message;
    EXPECT_EQ(image->entry.rip, 0x100040u);  // physical, though the header has a virtual address
    EXPECT_EQ(image->entry.rax, 0x2BADB002u);
    const MemorySegment* info = find_segment(*image, "multiboot information");
    ASSERT_TRUE(info);
    EXPECT_EQ(image->entry.rbx, info->address);
    const auto at = [&](u64 address) {
        return std::span<const u8>(info->data).subspan(address - info->address);
    };
    const auto text = [&](u64 address) {
        return std::string(reinterpret_cast<const char*>(at(address).data()));
    };
    const std::span<const u8> d = info->data;
    EXPECT_EQ(field<u32>(d, 0), 0x124Du);
    EXPECT_EQ(text(field<u32>(d, 16)), "k a b");
    ASSERT_EQ(field<u32>(d, 20), 2u);
    const auto modules = at(field<u32>(d, 24));
    EXPECT_EQ(field<u32>(modules, 0) % 4096, 0u);
    EXPECT_EQ(field<u32>(modules, 4) - field<u32>(modules, 0), 10u);
    EXPECT_EQ(text(field<u32>(modules, 8)), "m1 args");
    EXPECT_EQ(text(field<u32>(modules, 24)), "m2");
    EXPECT_GE(field<u32>(modules, 16), field<u32>(modules, 4));
    const auto map = at(field<u32>(d, 48));
    EXPECT_EQ(field<u32>(d, 44), 24 * r.e820.size());
    EXPECT_EQ(field<u32>(map, 0), 20u);
    EXPECT_EQ(find_segment(*image, "kernel")->size, 0x5000u);
}

TEST(Multiboot, LoadsByAddresses) {
    Bytes file(0x100, 0x55);
    const Bytes header = multiboot_header(0x10000, {0x200040, 0x200000, 0x200080, 0x201000, 0x200010});
    std::copy(header.begin(), header.end(), file.begin() + 0x80);
    file.resize(0x2000);
    auto image = load_kernel(request(file));
    ASSERT_TRUE(image.ok()) << image.error().message;
    const MemorySegment* k = find_segment(*image, "kernel");
    EXPECT_EQ(k->address, 0x200000u);
    EXPECT_EQ(k->data.size(), 0x80u);
    EXPECT_EQ(k->size, 0x1000u);
    EXPECT_EQ(image->entry.rip, 0x200010u);
}

TEST(Multiboot, RefusesWhatItCannotDo) {
    EXPECT_NE(
        load_kernel(request(make_elf(false, multiboot_header(8), false))).error().message.find("features"),
        std::string::npos);
    EXPECT_NE(
        load_kernel(request(make_elf(true, multiboot_header(0), false))).error().message.find("64-bit ELF"),
        std::string::npos);
    Bytes file(0x100);
    const Bytes header = multiboot_header(0x10000, {0x100000, 0x200000, 0, 0, 0});
    std::copy(header.begin(), header.end(), file.begin());
    EXPECT_FALSE(load_kernel(request(file)).ok());
}

TEST(Pvh, LoadsBothWidths) {
    for (bool wide : {false, true}) {
        KernelRequest r = request(make_elf(wide, {}, true));
        r.command_line = "root=x";
        r.rsdp = 0xF0010;
        r.modules.push_back({Bytes(100, 3), "i"});
        auto image = load_kernel(r);
        ASSERT_TRUE(image.ok()) << image.error().message;
        EXPECT_EQ(image->entry.rip, 0x100080u);
        const MemorySegment* info = find_segment(*image, "PVH start information");
        ASSERT_TRUE(info);
        EXPECT_EQ(image->entry.rbx, info->address);
        const std::span<const u8> d = info->data;
        EXPECT_EQ(field<u32>(d, 0), 0x336EC578u);
        EXPECT_EQ(field<u32>(d, 12), 1u);
        EXPECT_EQ(field<u64>(d, 32), 0xF0010u);
        EXPECT_EQ(field<u32>(d, 48), r.e820.size());
        const u64 text = field<u64>(d, 24) - info->address;
        EXPECT_STREQ(reinterpret_cast<const char*>(&d[text]), "root=x");
        const u64 module = field<u64>(d, 16) - info->address;
        EXPECT_EQ(field<u64>(d, module), find_segment(*image, "initrd")->address);
        const u64 map = field<u64>(d, 40) - info->address;
        EXPECT_EQ(field<u64>(d, map + 24), r.e820[1].base);
        EXPECT_EQ(image->entry.task.limit, 0x67u);
    }
}

TEST(Pvh, RefusesDamagedElf) {
    Bytes f = make_elf(true, {}, true);
    store_le<u64>(&f[0x80 + 32], 0x10000);
    EXPECT_NE(load_kernel(request(f)).error().message.find("cut short"), std::string::npos);
    EXPECT_NE(load_kernel(request(make_elf(true, {}, false))).error().message.find("PVH entry note"),
              std::string::npos);
    Bytes high = make_elf(true, {}, true);
    store_le<u64>(&high[0x80 + 24], ~u64{0} - 100);
    EXPECT_FALSE(load_kernel(request(high)).ok());
}

TEST(RamPlan, GivesOutWhatIsFree) {
    RamPlan plan(e820_map({16 * MiB, 0}, 0));
    EXPECT_TRUE(plan.take(0x100000, 0x1000, "x").ok());
    EXPECT_FALSE(plan.take(0x100800, 0x1000, "x").ok());
    EXPECT_FALSE(plan.take(0xA0000, 1, "x").ok());
    EXPECT_FALSE(plan.take(~u64{0} - 1, 100, "x").ok());
    EXPECT_EQ(plan.take_low(0x1000, 0x1000, 0x100000), 0x101000u);
    EXPECT_EQ(plan.take_high(0x1001, 0x1000), 16 * MiB - 0x2000);
    EXPECT_FALSE(plan.take_low(17 * MiB, 1, 0));
    EXPECT_FALSE(plan.take_high(17 * MiB, 1));
}

}  // namespace
}  // namespace mynah
