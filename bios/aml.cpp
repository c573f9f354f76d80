#include "bios/aml.h"

#include <algorithm>

namespace mynah::aml {

namespace {

Term raw(std::initializer_list<u8> bytes) {
    return Term(Bytes(bytes));
}

// PkgLength (20.2.4): counts its own bytes.
Bytes package_length(size_t body) {
    for (size_t own = 1; own <= 4; ++own) {
        const size_t total = body + own;
        if (own == 1) {
            if (total < 64) return {static_cast<u8>(total)};
            continue;
        }
        if (total >= size_t{1} << (4 + 8 * (own - 1))) continue;
        Bytes b{static_cast<u8>((own - 1) << 6 | (total & 15))};
        for (size_t i = 0; i < own - 1; ++i) b.push_back(static_cast<u8>(total >> (4 + 8 * i)));
        return b;
    }
    MYNAH_CHECK(false);
    return {};
}

Term block(std::initializer_list<u8> opcode, const Term& body) {
    return raw(opcode) + Term(package_length(body.bytes().size())) + body;
}

Term text_bytes(std::string_view s) {
    return Term(Bytes(s.begin(), s.end()));
}

}  // namespace

Term concat(Terms terms) {
    Term all;
    for (const Term& t : terms) all += t;
    return all;
}

Term path(std::string_view name) {
    Term out;
    while (!name.empty() && (name[0] == '\\' || name[0] == '^')) {
        out += text_bytes(name.substr(0, 1));
        name.remove_prefix(1);
    }
    std::vector<std::string_view> segments;
    while (!name.empty()) {
        const size_t dot = std::min(name.find('.'), name.size());
        segments.push_back(name.substr(0, dot));
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    if (segments.empty()) return out + raw({0});
    if (segments.size() == 2) out += raw({0x2E});
    if (segments.size() > 2) out += raw({0x2F, static_cast<u8>(segments.size())});
    for (std::string_view s : segments) {
        MYNAH_CHECK(!s.empty() && s.size() <= 4);
        ByteBuilder b;
        b.text(s, 4, '_');
        out += Term(b.take());
    }
    return out;
}

Term integer(u64 v) {
    ByteBuilder b;
    if (v <= 1) {
        b.put8(v);
    } else if (v <= 0xFF) {
        b.put8(0x0A);
        b.put8(v);
    } else if (v <= 0xFFFF) {
        b.put8(0x0B);
        b.put16(v);
    } else if (v <= 0xFFFFFFFF) {
        b.put8(0x0C);
        b.put32(v);
    } else {
        b.put8(0x0E);
        b.put64(v);
    }
    return Term(b.take());
}

Term string(std::string_view text) {
    return raw({0x0D}) + text_bytes(text) + raw({0});
}

Term buffer(const Bytes& data) {
    return block({0x11}, integer(data.size()) + Term(data));
}

Term package(const std::vector<Term>& elements) {
    MYNAH_CHECK(elements.size() < 256);
    Term body = raw({static_cast<u8>(elements.size())});
    for (const Term& t : elements) body += t;
    return block({0x12}, body);
}

Term package(Terms elements) {
    return package(std::vector<Term>(elements));
}

Term eisa_id(std::string_view id) {
    MYNAH_CHECK(id.size() == 7);
    const auto hex = [](char c) { return static_cast<u32>(c <= '9' ? c - '0' : c - 'A' + 10); };
    u32 v = 0;
    for (unsigned i = 0; i < 3; ++i) v = v << 5 | static_cast<u32>(id[i] - 0x40);
    for (unsigned i = 3; i < 7; ++i) v = v << 4 | hex(id[i]);
    // Stored with the most significant byte first.
    return raw({0x0C, static_cast<u8>(v >> 24), static_cast<u8>(v >> 16), static_cast<u8>(v >> 8),
                static_cast<u8>(v)});
}

Term name(std::string_view n, const Term& value) {
    return raw({0x08}) + path(n) + value;
}

Term scope(std::string_view n, const Term& body) {
    return block({0x10}, path(n) + body);
}

Term device(std::string_view n, const Term& body) {
    return block({0x5B, 0x82}, path(n) + body);
}

Term processor(std::string_view n, u8 id) {
    return block({0x5B, 0x83}, path(n) + raw({id, 0, 0, 0, 0, 0}));
}

Term method(std::string_view n, unsigned arguments, const Term& body, bool serialized) {
    return block({0x14}, path(n) + raw({static_cast<u8>(arguments | (serialized ? 8 : 0))}) + body);
}

Term operation_region(std::string_view n, Space space, u64 offset, u64 length) {
    return raw({0x5B, 0x80}) + path(n) + raw({static_cast<u8>(space)}) + integer(offset) + integer(length);
}

Term field(std::string_view region, std::initializer_list<FieldUnit> units) {
    Term body = path(region) + raw({0x01});
    for (const FieldUnit& u : units) {
        body += u.name.empty() ? raw({0}) : path(u.name);
        MYNAH_CHECK(u.bits < 64);
        body += raw({static_cast<u8>(u.bits)});
    }
    return block({0x5B, 0x81}, body);
}

Term local(unsigned n) {
    return raw({static_cast<u8>(0x60 + n)});
}

Term arg(unsigned n) {
    return raw({static_cast<u8>(0x68 + n)});
}

Term return_(const Term& value) {
    return raw({0xA4}) + value;
}

Term store(const Term& value, const Term& target) {
    return raw({0x70}) + value + target;
}

Term and_(const Term& a, const Term& b, const Term& target) {
    return raw({0x7B}) + a + b + target;
}

Term or_(const Term& a, const Term& b, const Term& target) {
    return raw({0x7D}) + a + b + target;
}

Term if_(const Term& condition, const Term& body) {
    return block({0xA0}, condition + body);
}

Term else_(const Term& body) {
    return block({0xA1}, body);
}

Term create_dword_field(const Term& buffer, u64 offset, std::string_view n) {
    return raw({0x8A}) + buffer + integer(offset) + path(n);
}

Bytes io(u16 base, u8 length, u8 alignment) {
    ByteBuilder b;
    b.put8(0x47);
    b.put8(1);  // decodes 16 bits
    b.put16(base);
    b.put16(base);
    b.put8(alignment);
    b.put8(length);
    return b.take();
}

Bytes irq(u8 number) {
    return {0x22, static_cast<u8>(number < 8 ? 1 << number : 0),
            static_cast<u8>(number < 8 ? 0 : 1 << (number - 8))};
}

Bytes dma(u8 channel) {
    return {0x2A, static_cast<u8>(1 << channel), 0};
}

Bytes memory32(u32 base, u32 length, bool writable) {
    ByteBuilder b;
    b.put8(0x86);
    b.put16(9);
    b.put8(writable);
    b.put32(base);
    b.put32(length);
    return b.take();
}

Bytes interrupts(std::initializer_list<u32> gsis) {
    ByteBuilder b;
    b.put8(0x89);
    b.put16(2 + 4 * gsis.size());
    b.put8(0x09);  // consumer, level, active high, shared
    b.put8(gsis.size());
    for (u32 g : gsis) b.put32(g);
    return b.take();
}

Bytes word_range(Kind kind, u16 first, u16 last) {
    ByteBuilder b;
    b.put8(0x88);
    b.put16(13);
    b.put8(static_cast<u8>(kind));
    b.put8(0x0C);  // producer, positive decode, both ends fixed
    b.put8(kind == Kind::io ? 3 : 0);
    b.put16(0);
    b.put16(first);
    b.put16(last);
    b.put16(0);
    b.put16(static_cast<u16>(last - first + 1));
    return b.take();
}

Bytes dword_memory_range(u32 first, u32 last, bool cacheable) {
    ByteBuilder b;
    b.put8(0x87);
    b.put16(23);
    b.put8(0);
    b.put8(0x0C);
    b.put8(cacheable ? 3 : 1);  // writable
    for (u32 v : {u32{0}, first, last, u32{0}, last - first + 1}) b.put32(v);
    return b.take();
}

Bytes qword_memory_range(u64 first, u64 last) {
    ByteBuilder b;
    b.put8(0x8A);
    b.put16(43);
    b.put8(0);
    b.put8(0x0C);
    b.put8(3);
    for (u64 v : {u64{0}, first, last, u64{0}, last - first + 1}) b.put64(v);
    return b.take();
}

Bytes resource_bytes(std::initializer_list<Bytes> descriptors) {
    Bytes all;
    for (const Bytes& d : descriptors) all.insert(all.end(), d.begin(), d.end());
    all.push_back(0x79);  // end tag, no checksum
    all.push_back(0);
    return all;
}

Term resources(std::initializer_list<Bytes> descriptors) {
    return buffer(resource_bytes(descriptors));
}

}  // namespace mynah::aml
