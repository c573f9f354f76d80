#include "bios/smbios.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace mynah {

namespace {

class Builder {
  public:
    // Begins a structure (6.1.2); finish it with end(). Strings are numbered from 1.
    void begin(u8 type, u16 handle) {
        start_ = b_.size();
        strings_.clear();
        b_.put8(type);
        b_.put8(0);
        b_.put16(handle);
    }
    void s(std::string_view text) {
        strings_.emplace_back(text);
        b_.put8(strings_.size());
    }
    ByteBuilder& b() { return b_; }
    void end() {
        const size_t length = b_.size() - start_;
        b_.patch(start_ + 1, length, 1);
        for (const std::string& text : strings_) {
            b_.text(text);
            b_.put8(0);
        }
        if (strings_.empty()) b_.put8(0);
        b_.put8(0);
        largest_ = std::max(largest_, b_.size() - start_);
        ++count_;
    }
    size_t largest() const { return largest_; }
    size_t count() const { return count_; }

  private:
    ByteBuilder b_;
    std::vector<std::string> strings_;
    size_t start_ = 0, largest_ = 0, count_ = 0;
};

constexpr std::string_view kMaker = "mynah", kVersion = "pc";

void put_bios(Builder& t) {  // type 0 (7.1)
    t.begin(0, 0x000);
    t.s(kMaker);
    t.s("direct boot");
    t.b().put16(0xE800);
    t.s("01/01/2020");
    t.b().put8(0);
    t.b().put64(8);       // characteristics are not supported
    t.b().put16(0x1401);  // ACPI; targeted content, virtual machine
    t.b().put8(0xFF);
    t.b().put8(0xFF);
    t.b().put8(0xFF);
    t.b().put8(0xFF);
    t.end();
}

void put_system(Builder& t, const SmbiosConfig& c) {  // type 1 (7.2)
    t.begin(1, 0x100);
    t.s(kMaker);
    t.s(c.product);
    t.s(kVersion);
    t.b().put8(0);
    t.b().zeros(16);  // no UUID
    t.b().put8(6);    // woken by the power switch
    t.b().put8(0);
    t.b().put8(0);
    t.end();
}

void put_chassis(Builder& t) {  // type 3 (7.4)
    t.begin(3, 0x300);
    t.s(kMaker);
    t.b().put8(1);  // other
    t.s(kVersion);
    t.b().put8(0);
    t.b().put8(0);
    for (int i = 0; i < 3; ++i) t.b().put8(3);  // boot-up, power and thermal state: safe
    t.b().put8(2);                              // security: unknown
    t.b().put32(0);
    t.b().put8(0);
    t.b().put8(0);
    t.b().put8(0);
    t.b().put8(0);
    t.b().put8(0);
    t.end();
}

void put_processor(Builder& t, unsigned cpu) {  // type 4 (7.5)
    t.begin(4, static_cast<u16>(0x400 + cpu));
    t.s("CPU " + std::to_string(cpu));
    t.b().put8(3);  // central processor
    t.b().put8(1);  // family: other
    t.s(kMaker);
    t.b().put64(0);
    t.s(kVersion);
    t.b().put8(0);
    t.b().put16(0);
    t.b().put16(2000);  // MHz
    t.b().put16(2000);
    t.b().put8(0x41);  // socket populated, enabled
    t.b().put8(1);
    for (int i = 0; i < 3; ++i) t.b().put16(0xFFFF);  // no cache structures
    t.b().put8(0);
    t.b().put8(0);
    t.b().put8(0);
    t.b().put8(1);  // cores
    t.b().put8(1);
    t.b().put8(1);  // threads
    t.b().put16(2);
    t.b().put16(1);
    t.end();
}

// Sizes from 32 GiB - 1 MiB on go into the extended field.
void put_memory_device(Builder& t, unsigned index, u64 mib) {  // type 17 (7.18)
    t.begin(17, static_cast<u16>(0x1100 + index));
    t.b().put16(0x1000);
    t.b().put16(0xFFFE);
    t.b().put16(0xFFFF);
    t.b().put16(0xFFFF);
    t.b().put16(mib < 0x7FFF ? mib : 0x7FFF);
    t.b().put8(9);  // DIMM
    t.b().put8(0);
    t.s("DIMM " + std::to_string(index));
    t.b().put8(0);
    t.b().put8(7);  // RAM
    t.b().put16(2);
    t.b().put16(0);
    t.s(kMaker);
    t.b().zeros(3);
    t.b().put8(0);
    t.b().put32(mib < 0x7FFF ? 0 : mib);
    t.b().put16(0);
    t.b().zeros(6);
    t.end();
}

void put_mapped_range(Builder& t, unsigned index, u64 base, u64 size) {  // type 19 (7.20)
    t.begin(19, static_cast<u16>(0x1300 + index));
    const u64 last_kib = (base + size) / KiB - 1;
    const bool wide = last_kib > 0xFFFFFFFE;
    t.b().put32(wide ? 0xFFFFFFFF : base / KiB);
    t.b().put32(wide ? 0xFFFFFFFF : last_kib);
    t.b().put16(0x1000);
    t.b().put8(1);
    t.b().put64(wide ? base : 0);
    t.b().put64(wide ? base + size - 1 : 0);
    t.end();
}

}  // namespace

SmbiosTables make_smbios(const SmbiosConfig& c) {
    Builder t;
    if (c.bios_information) put_bios(t);
    put_system(t, c);
    put_chassis(t);
    for (unsigned cpu = 0; cpu < c.cpus; ++cpu) put_processor(t, cpu);

    constexpr u64 per_device = 16 * GiB;
    const u64 total = c.ram.below_4g + c.ram.above_4g;
    const u64 devices = std::clamp<u64>((total + per_device - 1) / per_device, 1, 255);
    t.begin(16, 0x1000);  // physical memory array (7.17)
    t.b().put8(1);
    t.b().put8(3);
    t.b().put8(6);  // multi-bit ECC
    t.b().put32(total / KiB < 0x80000000 ? total / KiB : 0x80000000);
    t.b().put16(0xFFFE);
    t.b().put16(devices);
    t.b().put64(total / KiB < 0x80000000 ? 0 : total);
    t.end();
    for (u64 i = 0; i < devices; ++i) {
        const u64 size = i + 1 < devices ? per_device : total - per_device * i;
        put_memory_device(t, static_cast<unsigned>(i), size / MiB);
    }
    put_mapped_range(t, 0, 0, c.ram.below_4g);
    if (c.ram.above_4g) put_mapped_range(t, 1, 4 * GiB, c.ram.above_4g);

    t.begin(32, 0x2000);  // system boot information (7.33)
    t.b().zeros(6);
    t.b().put8(0);
    t.end();
    t.begin(127, 0x7F00);
    t.end();

    SmbiosTables out;
    ByteBuilder a;  // 5.2.1
    a.text("_SM_");
    a.put8(0);
    a.put8(0x1F);
    a.put8(2);
    a.put8(8);
    a.put16(t.largest());
    a.put8(0);
    a.zeros(5);
    a.text("_DMI_");
    a.put8(0);
    a.put16(t.b().size());
    a.put32(0);
    a.put16(t.count());
    a.put8(0x28);
    out.structures = t.b().take();
    out.anchor = a.take();
    link_smbios(out, 0);
    return out;
}

void link_smbios(SmbiosTables& tables, PhysicalAddress structures) {
    constexpr size_t checksum = 4, intermediate = 0x10, intermediate_checksum = 0x15, address = 0x18;
    Bytes& a = tables.anchor;
    store_le<u32>(&a[address], static_cast<u32>(structures));
    a[checksum] = a[intermediate_checksum] = 0;
    a[intermediate_checksum] = checksum8(std::span(a).subspan(intermediate));
    a[checksum] = checksum8(a);
}

}  // namespace mynah
