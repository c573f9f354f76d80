// Writes ACPI Machine Language (ACPI 6.4 chapter 20): each function yields the encoding of one term, and
// terms nest by concatenation.
#pragma once

#include <initializer_list>
#include <string_view>

#include "bios/bytes.h"

namespace mynah::aml {

// One or more encoded terms.
class Term {
  public:
    Term() = default;
    explicit Term(Bytes bytes) : bytes_(std::move(bytes)) {}
    const Bytes& bytes() const { return bytes_; }
    Term& operator+=(const Term& other) {
        bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
        return *this;
    }
    friend Term operator+(Term a, const Term& b) { return a += b; }

  private:
    Bytes bytes_;
};

using Terms = std::initializer_list<Term>;
Term concat(Terms terms);

// --- names and data (20.2.2, 20.2.3) ---
// "PCI0", "_SB_.PCI0", "\\_SB_.LNKA"; segments shorter than four are filled with '_'.
Term path(std::string_view name);
Term integer(u64 value);
Term string(std::string_view text);
Term buffer(const Bytes& data);
Term package(Terms elements);
Term package(const std::vector<Term>& elements);
// A compressed EISA id: "PNP0A03".
Term eisa_id(std::string_view id);

// --- named objects and blocks (20.2.5) ---
Term name(std::string_view n, const Term& value);
Term scope(std::string_view n, const Term& body);
Term device(std::string_view n, const Term& body);
Term processor(std::string_view n, u8 id);
Term method(std::string_view n, unsigned arguments, const Term& body, bool serialized = false);
enum class Space : u8 { system_memory = 0, system_io = 1, pci_config = 2 };
Term operation_region(std::string_view n, Space space, u64 offset, u64 length);
struct FieldUnit {
    std::string_view name;
    unsigned bits;
};
// Byte accesses, no lock, preserve.
Term field(std::string_view region, std::initializer_list<FieldUnit> units);

// --- statements and expressions (20.2.5.3, 20.2.5.4) ---
Term local(unsigned n);
Term arg(unsigned n);
Term return_(const Term& value);
Term store(const Term& value, const Term& target);
Term and_(const Term& a, const Term& b, const Term& target);
Term or_(const Term& a, const Term& b, const Term& target);
Term if_(const Term& condition, const Term& body);
Term else_(const Term& body);
Term create_dword_field(const Term& buffer, u64 offset, std::string_view n);

// --- resource descriptors (6.4), concatenated and closed by resources() ---
Bytes io(u16 base, u8 length, u8 alignment = 1);
Bytes irq(u8 number);  // edge, active high, exclusive
Bytes dma(u8 channel);
Bytes memory32(u32 base, u32 length, bool writable);
// Level, active high, shared; a choice where there are several.
Bytes interrupts(std::initializer_list<u32> gsis);
enum class Kind : u8 { memory = 0, io = 1, bus = 2 };
Bytes word_range(Kind kind, u16 first, u16 last);
Bytes dword_memory_range(u32 first, u32 last, bool cacheable);
Bytes qword_memory_range(u64 first, u64 last);
Term resources(std::initializer_list<Bytes> descriptors);
// The bytes alone, with the end tag.
Bytes resource_bytes(std::initializer_list<Bytes> descriptors);

}  // namespace mynah::aml
