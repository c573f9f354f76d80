#include "base/archive.h"

#include <cstring>

namespace mynah {

void Archive::section(std::string_view name, u32 version) {
    std::string tag(name);
    (*this)(tag);
    u32 stored = version;
    (*this)(stored);
    if (!ok()) return;
    if (tag != name) return fail("found section \"" + tag + "\" instead of \"" + std::string(name) + "\"");
    section_ = name;
    if (stored > version) fail("made by a newer version");
}

void Archive::fail(std::string_view what) {
    if (!ok()) return;
    error_ = (section_.empty() ? "snapshot" : section_) + ": " + std::string(what);
}

void Archive::bytes(void* data, size_t size) {
    if (!ok()) return;
    if (mode_ == Mode::save) {
        const u8* p = static_cast<const u8*>(data);
        output_.insert(output_.end(), p, p + size);
        return;
    }
    if (size > input_.size() - position_) return fail("ends too early");
    if (mode_ == Mode::load) {
        std::memcpy(data, input_.data() + position_, size);
    } else if (std::memcmp(data, input_.data() + position_, size) != 0) {
        fail("differs at byte " + std::to_string(position_));
    }
    position_ += size;
}

void Archive::operator()(std::string& s) {
    u32 n = static_cast<u32>(s.size());
    (*this)(n);
    if (n > MiB) return fail("string too long");
    if (loading() && ok()) s.resize(n);
    if (ok()) bytes(s.data(), s.size());
}

}  // namespace mynah
