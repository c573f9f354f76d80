// In place of user_network.cpp where libslirp is missing.
#include "frontend/host_network.h"

namespace mynah {

bool has_user_networks() {
    return false;
}

Result<std::unique_ptr<HostNetwork>> open_user_network(const UserNetwork&) {
    return Error{
        "this mynah was built without libslirp, so there is no user network; use -nic none, or install "
        "libslirp-dev and build again"};
}

}  // namespace mynah
