// Gathers -nic, -netdev, -net, -device's network adapters and -object filter-dump into NicConfigs.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "frontend/key_values.h"
#include "machine/config.h"

namespace mynah {

class NetworkOptions {
  public:
    // "none", or "user[,model=M][,mac=A][,romfile=F][,dump=F]" with the keys of a user network.
    Status add_nic(const std::string& text);
    // "user,id=ID" with the keys of a user network.
    Status add_netdev(const std::string& text);
    // "none" only.
    Status add_net(const std::string& text);
    // Whether -device's driver is a network adapter; then add_device takes its keys.
    static bool is_adapter(std::string_view driver);
    Status add_device(std::string_view driver, std::span<const KeyValue> keys);
    // "filter-dump,id=I,netdev=N,file=F".
    Status add_object(const std::string& text);
    // After all options are known: adapters with their back ends and addresses. `with_default`: one when
    // nothing was said about the network.
    Result<std::vector<NicConfig>> finish(bool with_default);

    // What -nic model=help and -device help list.
    static std::string model_list();

  private:
    struct Entry {
        NicConfig nic;
        bool has_mac = false;
        std::string netdev;  // of -device: which
        std::string source;  // how it was asked for
    };
    struct Netdev {
        std::string id;
        UserNetwork network;
        std::vector<std::string> dumps;
        bool taken = false;
    };
    struct Dump {
        std::string netdev, file;
    };
    Status adapter_key(Entry& entry, const KeyValue& kv, bool& known);

    std::vector<Entry> entries_;
    std::vector<Netdev> netdevs_;
    std::vector<Dump> dumps_;
    bool said_ = false, none_ = false;
};

// The keys of a user network; `known` tells whether `kv` is one.
Status user_network_key(UserNetwork& network, const KeyValue& kv, bool& known);
// "10.0.2.15" as a number.
Result<u32> parse_ipv4(std::string_view text);
std::string ipv4_text(u32 address);
// "tcp|udp:[HOSTADDR]:PORT-[GUESTADDR]:PORT".
Result<HostForward> parse_host_forward(std::string_view text);
Result<std::array<u8, 6>> parse_mac(std::string_view text);

}  // namespace mynah
