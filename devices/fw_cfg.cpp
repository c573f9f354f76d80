#include "devices/fw_cfg.h"

#include <algorithm>
#include <array>

#include "base/bits.h"
#include "base/check.h"

namespace mynah {

namespace {

constexpr u16 kWriteMode = 0x4000;  // of the selector
constexpr std::string_view kSignature = "QEMU";
constexpr std::string_view kDmaSignature = "QEMU CFG";
constexpr u32 kTraditional = 1, kDma = 2;

// The control word of a DMA command.
constexpr u32 kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16;

constexpr size_t kNameSize = 56;
constexpr u32 kLongTransfer = 64 * KiB;

void put_be32(std::vector<u8>& out, u32 v) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<u8>(v >> shift));
}

u32 be32(const u8* p) {
    return u32{p[0]} << 24 | u32{p[1]} << 16 | u32{p[2]} << 8 | p[3];
}

}  // namespace

FwCfg::FwCfg(EventQueue& queue, PhysicalMap& memory) : queue_(queue), memory_(memory) {
    add(signature, {kSignature.begin(), kSignature.end()});
    add_u32(id, kTraditional | kDma);
    index_files();
}

void FwCfg::add(u16 key, std::vector<u8> content) {
    items_[key & ~kWriteMode] = std::move(content);
}

void FwCfg::add_u16(u16 key, u16 value) {
    add(key, {static_cast<u8>(value), static_cast<u8>(value >> 8)});
}

void FwCfg::add_u32(u16 key, u32 value) {
    std::vector<u8> bytes(4);
    store_le(bytes.data(), value);
    add(key, std::move(bytes));
}

void FwCfg::add_u64(u16 key, u64 value) {
    std::vector<u8> bytes(8);
    store_le(bytes.data(), value);
    add(key, std::move(bytes));
}

void FwCfg::add_string(u16 key, std::string_view text) {
    std::vector<u8> bytes(text.begin(), text.end());
    bytes.push_back(0);
    add(key, std::move(bytes));
}

void FwCfg::add_file(const std::string& name, std::vector<u8> content) {
    MYNAH_CHECK(!name.empty() && name.size() < kNameSize);
    files_[name] = std::move(content);
    index_files();
}

// The directory: a count, then per file its size, key and name, all big-endian.
void FwCfg::index_files() {
    std::vector<u8> directory;
    put_be32(directory, static_cast<u32>(files_.size()));
    file_index_.clear();
    u16 key = first_file;
    for (const auto& [name, content] : files_) {
        put_be32(directory, static_cast<u32>(content.size()));
        put_be32(directory, u32{key} << 16);  // 16 bits of key, 16 reserved
        std::array<u8, kNameSize> padded{};
        std::copy(name.begin(), name.end(), padded.begin());
        directory.insert(directory.end(), padded.begin(), padded.end());
        file_index_.push_back(&content);
        ++key;
    }
    add(file_directory, std::move(directory));
}

void FwCfg::reset() {
    select(0);
    dma_address_.fill(0);
}

void FwCfg::visit(Archive& ar) {
    ar.section(name());
    ar.all(key_, offset_, dma_address_);
}

void FwCfg::select(u16 key) {
    key_ = key;
    offset_ = 0;
}

const std::vector<u8>* FwCfg::selected() const {
    const u16 key = key_ & ~kWriteMode;
    if (key >= first_file && key - first_file < static_cast<int>(file_index_.size())) {
        return file_index_[key - first_file];
    }
    const auto it = items_.find(key);
    return it == items_.end() ? nullptr : &it->second;
}

u8 FwCfg::read_byte() {
    const std::vector<u8>* item = selected();
    return item && offset_ < item->size() ? (*item)[offset_++] : 0;
}

u64 FwCfg::read(BankId bank, u64 offset, unsigned width) {
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) {
        const u8 byte = bank == dma ? static_cast<u8>(kDmaSignature[(offset + i) & 7]) : read_byte();
        value |= u64{byte} << (8 * i);
    }
    return value;
}

void FwCfg::write(BankId bank, u64 offset, u64 value, unsigned width) {
    if (bank == control) {
        // The data register has been read-only since QEMU 2.4.
        if (offset == 0 && width == 2) select(static_cast<u16>(value));
        return;
    }
    for (unsigned i = 0; i < width; ++i) {
        const u64 at = (offset + i) & 7;
        dma_address_[at] = static_cast<u8>(value >> (8 * i));
        if (at == 7) run_dma();  // the last byte of the low half starts the transfer
    }
}

void FwCfg::run_dma() {
    const u64 command_at = u64{be32(dma_address_.data())} << 32 | be32(dma_address_.data() + 4);
    dma_address_.fill(0);

    std::array<u8, 16> command;
    memory_.read(command_at, command);
    const u32 bits = be32(command.data());
    u32 left = be32(command.data() + 4);
    u64 to = u64{be32(command.data() + 8)} << 32 | be32(command.data() + 12);
    if (bits & kSelect) select(static_cast<u16>(bits >> 16));

    const std::vector<u8>* item = selected();
    const size_t size = item ? item->size() : 0;
    u32 result = 0;
    if (bits & kRead) {
        // What lies behind the end of the item reads as zero. At most the RAM's size can be wanted in
        // earnest.
        if (left > memory_.ram_size()) {
            result = kError;
            left = 0;
        }
        if (left >= kLongTransfer) queue_.took_long();
        constexpr std::array<u8, 4096> zeros{};
        while (left > 0) {
            const size_t have = offset_ < size ? size - offset_ : 0;
            const size_t n = std::min<size_t>(left, have ? have : zeros.size());
            memory_.write(to, have ? std::span(item->data() + offset_, n) : std::span(zeros.data(), n));
            if (have) offset_ += static_cast<u32>(n);
            to += n;
            left -= static_cast<u32>(n);
        }
    } else if (bits & kWrite) {
        result = kError;  // no item is writable
    } else if (bits & kSkip) {
        offset_ = static_cast<u32>(std::min<u64>(size, u64{offset_} + left));
    }

    const u8 answer[4] = {0, 0, 0, static_cast<u8>(result)};
    memory_.write(command_at, answer);
}

}  // namespace mynah
