#include "bios/acpi_linker.h"

#include <algorithm>

namespace mynah {

namespace {

constexpr size_t kNameSize = 56, kEntrySize = 128;

size_t index_of(const LinkedTables& t, std::string_view name) {
    const auto it =
        std::find_if(t.files.begin(), t.files.end(), [&](const TableFile& f) { return f.name == name; });
    MYNAH_CHECK(it != t.files.end());
    return static_cast<size_t>(it - t.files.begin());
}

}  // namespace

Bytes LinkedTables::script_bytes() const {
    ByteBuilder b;
    for (const LinkCommand& c : script) {
        const size_t begin = b.size();
        b.put32(static_cast<u32>(c.kind));
        b.text(c.file, kNameSize, '\0');
        switch (c.kind) {
            case LinkCommand::Kind::allocate:
                b.put32(c.alignment);
                b.put8(static_cast<u8>(c.zone));
                break;
            case LinkCommand::Kind::add_pointer:
                b.text(c.target, kNameSize, '\0');
                b.put32(c.offset);
                b.put8(c.size);
                break;
            case LinkCommand::Kind::add_checksum:
                b.put32(c.offset);
                b.put32(c.start);
                b.put32(c.length);
                break;
        }
        b.zeros(begin + kEntrySize - b.size());
    }
    return b.take();
}

u64 LinkedTables::high_size() const {
    u64 at = 0;
    for (const LinkCommand& c : script) {
        if (c.kind != LinkCommand::Kind::allocate || c.zone != LinkCommand::Zone::high) continue;
        at = align_up(at, c.alignment) + files[index_of(*this, c.file)].data.size();
    }
    return at;
}

PlacedTables place_tables(const LinkedTables& tables, PhysicalAddress high, PhysicalAddress low) {
    std::vector<Bytes> data;
    for (const TableFile& f : tables.files) data.push_back(f.data);
    PlacedTables out;
    out.addresses.resize(data.size());
    for (const LinkCommand& c : tables.script) {
        const size_t file = index_of(tables, c.file);
        Bytes& bytes = data[file];
        switch (c.kind) {
            case LinkCommand::Kind::allocate: {
                PhysicalAddress& at = c.zone == LinkCommand::Zone::high ? high : low;
                at = align_up(at, c.alignment);
                out.addresses[file] = at;
                at += bytes.size();
                break;
            }
            case LinkCommand::Kind::add_pointer: {
                MYNAH_CHECK(u64{c.offset} + c.size <= bytes.size() && c.size <= 8);
                u64 value = 0;
                std::copy_n(&bytes[c.offset], c.size, reinterpret_cast<u8*>(&value));
                value += out.addresses[index_of(tables, c.target)];
                std::copy_n(reinterpret_cast<const u8*>(&value), c.size, &bytes[c.offset]);
                break;
            }
            case LinkCommand::Kind::add_checksum: {
                MYNAH_CHECK(u64{c.start} + c.length <= bytes.size() && c.offset < bytes.size());
                bytes[c.offset] = 0;
                bytes[c.offset] = checksum8(std::span(bytes).subspan(c.start, c.length));
                break;
            }
        }
    }
    for (size_t i = 0; i < data.size(); ++i) {
        const u64 size = data[i].size();
        out.segments.push_back({out.addresses[i], std::move(data[i]), size, tables.files[i].name});
    }
    return out;
}

}  // namespace mynah
