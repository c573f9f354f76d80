// In place of profile_toml.cpp where toml++ is missing.
#include "desktop/profile.h"

namespace mynah {

Result<Profile> parse_profile(std::string_view, std::string_view, const std::string& file) {
    return Error{
        "\"" + file +
        "\" cannot be read: this mynah was built without toml++; install libtomlplusplus-dev and build "
        "it again, or give options instead"};
}

}  // namespace mynah
