#include "frontend/network_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "machine/nics.h"

namespace mynah {

namespace {

// QEMU's numbering of adapters without mac=.
constexpr std::array<u8, 6> kFirstMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

// QEMU has names of its own for -nic model= and -device.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {{"e1000-82540em", "e1000"},
                                                                         {"virtio", "virtio-net-pci"}};

std::optional<NicModel> find_model(std::string_view name) {
    for (const auto& [other, ours] : kOtherNames) {
        if (other == name) name = ours;
    }
    for (const NicModelInfo& m : nic_models()) {
        if (m.name == name) return m.model;
    }
    return std::nullopt;
}

Error unknown_model(std::string_view name) {
    std::string known;
    for (const NicModelInfo& m : nic_models())
        known += fmt::format("{}{}", known.empty() ? "" : ", ", m.name);
    return Error{fmt::format("there is no network adapter \"{}\"; there are {}", name, known)};
}

Result<u16> parse_port(std::string_view text) {
    u32 value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535)
        return Error{fmt::format("\"{}\" is not a port from 1 to 65535", text)};
    return static_cast<u16>(value);
}

// Which addresses of a user network were given; the others follow the network.
struct Given {
    bool host = false, dhcp_start = false, dns = false;
};

Status place_addresses(UserNetwork& n, const Given& given) {
    if (!given.host) n.host = n.network | 2;
    if (!given.dns) n.dns = n.network | 3;
    if (!given.dhcp_start) n.dhcp_start = n.network | 15;
    const std::pair<std::string_view, u32> all[] = {
        {"host", n.host}, {"dns", n.dns}, {"dhcpstart", n.dhcp_start}};
    for (const auto& [name, address] : all) {
        if ((address & n.mask) != n.network || (address & ~n.mask) == 0 || (address | n.mask) == ~u32{0})
            return Error{fmt::format("{} {} is no address in the network {}/{}; change one of them", name,
                                     ipv4_text(address), ipv4_text(n.network), std::popcount(n.mask))};
    }
    if (n.host == n.dns) return Error{fmt::format("host and dns are both {}; change one", ipv4_text(n.host))};
    return Ok{};
}

Status take_network(UserNetwork& n, std::string_view text) {
    const size_t slash = text.find('/');
    auto address = parse_ipv4(text.substr(0, slash));
    if (!address) return address.error();
    u32 mask = 0xFFFFFF00;
    if (slash != std::string_view::npos) {
        const std::string_view rest = text.substr(slash + 1);
        if (rest.find('.') != std::string_view::npos) {
            const auto parsed = parse_ipv4(rest);
            if (!parsed) return parsed.error();
            mask = *parsed;
        } else {
            const auto length = parse_number(rest);
            if (!length || *length < 1 || *length > 32)
                return Error{fmt::format("\"{}\" is not a prefix length", rest)};
            mask = ~u32{0} << (32 - *length);
        }
    }
    if (std::countl_one(mask) != std::popcount(mask) || std::popcount(mask) < 4 || std::popcount(mask) > 27)
        return Error{fmt::format("net={}: the mask must have 4 to 27 bits", text)};
    n.mask = mask;
    n.network = *address & mask;
    return Ok{};
}

Given given_in(std::span<const KeyValue> keys) {
    Given g;
    for (const KeyValue& kv : keys) {
        g.host |= kv.key == "host";
        g.dns |= kv.key == "dns";
        g.dhcp_start |= kv.key == "dhcpstart";
    }
    return g;
}

}  // namespace

Result<u32> parse_ipv4(std::string_view text) {
    u32 value = 0;
    std::string_view rest = text;
    for (unsigned i = 0; i < 4; ++i) {
        u32 part = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), part);
        const size_t used = static_cast<size_t>(end - rest.data());
        const bool ends_well = i == 3 ? used == rest.size() : used < rest.size() && rest[used] == '.';
        if (error != std::errc() || part > 255 || !ends_well)
            return Error{fmt::format("\"{}\" is not an IPv4 address", text)};
        value = value << 8 | part;
        if (i < 3) rest.remove_prefix(used + 1);
    }
    return value;
}

std::string ipv4_text(u32 a) {
    return fmt::format("{}.{}.{}.{}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

Result<HostForward> parse_host_forward(std::string_view text) {
    const auto fail = [&](std::string_view why) {
        return Error{
            fmt::format("hostfwd={}: {}; the form is tcp|udp:[hostaddr]:port-[guestaddr]:port", text, why)};
    };
    HostForward f;
    const size_t colon = text.find(':');
    const std::string_view protocol = text.substr(0, colon);
    if (protocol == "udp") {
        f.udp = true;
    } else if (protocol != "tcp" && !protocol.empty()) {
        return fail(fmt::format("\"{}\" is neither tcp nor udp", protocol));
    }
    if (colon == std::string_view::npos) return fail("it has no port");
    std::string_view rest = text.substr(colon + 1);
    const size_t dash = rest.find('-');
    if (dash == std::string_view::npos) return fail("it has no \"-\"");
    const auto side = [&](std::string_view part, u32& address, u16& port) -> Status {
        const size_t split = part.find(':');
        if (split == std::string_view::npos) return Error{fmt::format("\"{}\" has no \":\"", part)};
        if (split > 0) {
            const auto parsed = parse_ipv4(part.substr(0, split));
            if (!parsed) return parsed.error();
            address = *parsed;
        }
        const auto number = parse_port(part.substr(split + 1));
        if (!number) return number.error();
        port = *number;
        return Ok{};
    };
    if (Status s = side(rest.substr(0, dash), f.host_address, f.host_port); !s)
        return fail(s.error().message);
    if (Status s = side(rest.substr(dash + 1), f.guest_address, f.guest_port); !s)
        return fail(s.error().message);
    return f;
}

Result<std::array<u8, 6>> parse_mac(std::string_view text) {
    const Error bad{fmt::format("\"{}\" is not a MAC address as in 52:54:00:12:34:56", text)};
    std::array<u8, 6> mac{};
    if (text.size() != 17) return bad;
    for (size_t i = 0; i < 6; ++i) {
        const std::string_view part = text.substr(3 * i, 2);
        unsigned value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + 2, value, 16);
        if (error != std::errc() || end != part.data() + 2) return bad;
        if (i < 5 && text[3 * i + 2] != ':' && text[3 * i + 2] != '-') return bad;
        mac[i] = static_cast<u8>(value);
    }
    if (mac[0] & 1)
        return Error{fmt::format("{} is a group address; an adapter needs an even first byte", text)};
    return mac;
}

Status user_network_key(UserNetwork& n, const KeyValue& kv, bool& known) {
    known = true;
    const std::string& v = kv.value;
    const auto address = [&](u32& to) -> Status {
        const auto parsed = parse_ipv4(v);
        if (!parsed) return Error{fmt::format("{}: {}", kv.key, parsed.error().message)};
        to = *parsed;
        return Ok{};
    };
    if (kv.key == "net") return take_network(n, v);
    if (kv.key == "host") return address(n.host);
    if (kv.key == "dns") return address(n.dns);
    if (kv.key == "dhcpstart") return address(n.dhcp_start);
    if (kv.key == "hostname") return n.hostname = v, Ok{};
    if (kv.key == "tftp") return n.tftp = v, Ok{};
    if (kv.key == "bootfile") return n.bootfile = v, Ok{};
    if (kv.key == "restrict" || kv.key == "ipv4" || kv.key == "ipv6") {
        const auto on = parse_switch(kv.value);
        if (!on) return Error{fmt::format("{}: {}", kv.key, on.error().message)};
        if (kv.key == "restrict") n.restricted = *on;
        if (kv.key == "ipv4" && !*on) return Error{"IPv4 is always on; leave ipv4= out"};
        if (kv.key == "ipv6" && *on) return Error{"there is no IPv6; leave ipv6= out"};
        return Ok{};
    }
    if (kv.key == "hostfwd") {
        auto forward = parse_host_forward(v);
        if (!forward) return forward.error();
        n.forwards.push_back(*forward);
        return Ok{};
    }
    known = false;
    return Ok{};
}

bool NetworkOptions::is_adapter(std::string_view driver) {
    return find_model(driver).has_value();
}

std::string NetworkOptions::model_list() {
    std::string text;
    for (const NicModelInfo& m : nic_models()) text += fmt::format("{:16}{}\n", m.name, m.what);
    return text;
}

Status NetworkOptions::adapter_key(Entry& e, const KeyValue& kv, bool& known) {
    known = true;
    if (kv.key == "mac" || kv.key == "macaddr") {
        const auto mac = parse_mac(kv.value);
        if (!mac) return mac.error();
        e.nic.mac = *mac;
        e.has_mac = true;
        return Ok{};
    }
    if (kv.key == "romfile") {
        if (nic_model(e.nic.model).rom.empty() && !kv.value.empty())
            return Error{
                fmt::format("{} has no expansion ROM; leave romfile out", nic_model(e.nic.model).name)};
        return e.nic.rom = kv.value, Ok{};
    }
    if (e.nic.model == NicModel::ne2k_isa && (kv.key == "iobase" || kv.key == "irq")) {
        const auto n = parse_number(kv.value);
        if (!n) return Error{fmt::format("{}: {}", kv.key, n.error().message)};
        if (kv.key == "irq") {
            if (*n < 2 || *n > 15) return Error{"irq is 2 to 15"};
            e.nic.irq = static_cast<u8>(*n == 2 ? 9 : *n);  // the PC's wiring
        } else {
            if (*n == 0 || *n > 0xFFE0 || (*n & 31)) return Error{"iobase is a multiple of 32 below 0xffe0"};
            e.nic.iobase = static_cast<u16>(*n);
        }
        return Ok{};
    }
    known = false;
    return Ok{};
}

Status NetworkOptions::add_nic(const std::string& text) {
    said_ = true;
    if (text == "none") return none_ = true, Ok{};
    const auto parts = parse_key_values(text, "type");
    if (!parts) return parts.error();
    Entry e;
    e.source = fmt::format("-nic {}", text);
    if (parts->front().key != "type" || parts->front().value != "user")
        return Error{fmt::format("network \"{}\" is not supported; use user or none", parts->front().value)};
    UserNetwork network;
    const auto keys = std::span(*parts).subspan(1);
    // The model first: others of its keys depend on it.
    for (const KeyValue& kv : keys) {
        if (kv.key != "model") continue;
        const auto model = find_model(kv.value);
        if (!model) return unknown_model(kv.value);
        e.nic.model = *model;
    }
    for (const KeyValue& kv : keys) {
        if (!kv.has_value) return Error{fmt::format("\"{}\" needs a value", kv.key)};
        bool known = kv.key == "model";
        if (kv.key == "id") known = true, e.nic.id = kv.value;
        if (kv.key == "dump") known = true, e.nic.dumps.push_back(kv.value);
        if (known) continue;
        if (Status s = adapter_key(e, kv, known); !s) return s;
        if (known) continue;
        if (Status s = user_network_key(network, kv, known); !s) return s;
        if (!known) return Error{fmt::format("unknown key \"{}\"", kv.key)};
    }
    if (Status s = place_addresses(network, given_in(keys)); !s) return s;
    e.nic.user = std::move(network);
    entries_.push_back(std::move(e));
    return Ok{};
}

Status NetworkOptions::add_netdev(const std::string& text) {
    said_ = true;
    const auto parts = parse_key_values(text, "type");
    if (!parts) return parts.error();
    if (parts->front().key != "type" || parts->front().value != "user")
        return Error{fmt::format("network \"{}\" is not supported; use user", parts->front().value)};
    Netdev n;
    const auto keys = std::span(*parts).subspan(1);
    for (const KeyValue& kv : keys) {
        if (!kv.has_value) return Error{fmt::format("\"{}\" needs a value", kv.key)};
        bool known = kv.key == "id";
        if (known) n.id = kv.value;
        if (kv.key == "dump") known = true, n.dumps.push_back(kv.value);
        if (known) continue;
        if (Status s = user_network_key(n.network, kv, known); !s) return s;
        if (!known) return Error{fmt::format("unknown key \"{}\"", kv.key)};
    }
    if (n.id.empty()) return Error{"it needs id=NAME, which -device ...,netdev=NAME then names"};
    for (const Netdev& other : netdevs_) {
        if (other.id == n.id) return Error{fmt::format("id \"{}\" is given twice; change one", n.id)};
    }
    if (Status s = place_addresses(n.network, given_in(keys)); !s) return s;
    netdevs_.push_back(std::move(n));
    return Ok{};
}

Status NetworkOptions::add_net(const std::string& text) {
    said_ = true;
    if (text != "none") return Error{"only none is there; use -nic user,model=e1000 instead"};
    none_ = true;
    return Ok{};
}

Status NetworkOptions::add_device(std::string_view driver, std::span<const KeyValue> keys) {
    Entry e;
    e.source = fmt::format("-device {}", driver);
    const auto model = find_model(driver);
    if (!model) return unknown_model(driver);
    said_ = true;
    e.nic.model = *model;
    for (const KeyValue& kv : keys) {
        if (!kv.has_value) return Error{fmt::format("\"{}\" needs a value", kv.key)};
        bool known = kv.key == "id" || kv.key == "netdev";
        if (kv.key == "netdev") e.netdev = kv.value;
        if (known) continue;
        if (Status s = adapter_key(e, kv, known); !s) return s;
        if (!known)
            return Error{
                fmt::format("{} has no key \"{}\"; there are netdev, mac and romfile", driver, kv.key)};
    }
    entries_.push_back(std::move(e));
    return Ok{};
}

Status NetworkOptions::add_object(const std::string& text) {
    const auto parts = parse_key_values(text, "type");
    if (!parts) return parts.error();
    if (parts->front().key != "type" || parts->front().value != "filter-dump")
        return Error{fmt::format("there is no object \"{}\"; there is filter-dump", parts->front().value)};
    Dump d;
    for (const KeyValue& kv : std::span(*parts).subspan(1)) {
        if (kv.key == "netdev") {
            d.netdev = kv.value;
        } else if (kv.key == "file") {
            d.file = kv.value;
        } else if (kv.key != "id") {
            return Error{fmt::format("filter-dump has no key \"{}\"; there are id, netdev and file", kv.key)};
        }
    }
    if (d.netdev.empty() || d.file.empty()) return Error{"filter-dump needs netdev= and file="};
    dumps_.push_back(std::move(d));
    return Ok{};
}

Result<std::vector<NicConfig>> NetworkOptions::finish(bool with_default) {
    if (none_ && (!entries_.empty() || !netdevs_.empty()))
        return Error{"-nic none contradicts the other network options; drop one of them"};
    for (Entry& e : entries_) {
        if (e.netdev.empty()) continue;
        const auto found =
            std::find_if(netdevs_.begin(), netdevs_.end(), [&](const Netdev& n) { return n.id == e.netdev; });
        if (found == netdevs_.end())
            return Error{fmt::format("{}: there is no -netdev with id={}", e.source, e.netdev)};
        if (found->taken)
            return Error{fmt::format("{}: netdev {} has an adapter already", e.source, e.netdev)};
        found->taken = true;
        e.nic.id = found->id;
        e.nic.user = found->network;
        e.nic.dumps = found->dumps;
    }
    for (const Netdev& n : netdevs_) {
        if (!n.taken)
            return Error{
                fmt::format("-netdev {}: no adapter uses it; add -device e1000,netdev={}", n.id, n.id)};
    }
    if (!said_ && with_default) {
        Entry e;
        e.nic.user.emplace();
        entries_.push_back(std::move(e));
    }
    std::vector<NicConfig> nics;
    for (size_t i = 0; i < entries_.size(); ++i) {
        Entry& e = entries_[i];
        if (!e.has_mac) {
            e.nic.mac = kFirstMac;
            e.nic.mac[5] = static_cast<u8>(e.nic.mac[5] + i);
        }
        if (e.nic.id.empty()) e.nic.id = fmt::format("net{}", i);
        nics.push_back(std::move(e.nic));
    }
    for (const Dump& d : dumps_) {
        const auto found =
            std::find_if(nics.begin(), nics.end(), [&](const NicConfig& n) { return n.id == d.netdev; });
        if (found == nics.end())
            return Error{fmt::format("-object filter-dump: there is no network with id={}", d.netdev)};
        found->dumps.push_back(d.file);
    }
    return nics;
}

}  // namespace mynah
