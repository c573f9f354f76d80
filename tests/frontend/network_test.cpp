// Networks: options in, back ends and dump files out.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/bits.h"
#include "frontend/complaint.h"
#include "frontend/network_hub.h"
#include "frontend/network_options.h"
#include "frontend/options.h"
#include "frontend/pcap_file.h"

namespace mynah {
namespace {

Result<CommandLine> parse(std::vector<std::string> words) {
    return parse_command_line(words, HostTime{1000000, 1003600});
}

std::vector<NicConfig> nics(std::vector<std::string> words) {
    auto line = parse(std::move(words));
    EXPECT_TRUE(line.ok()) << line.error().message;
    return line.ok() ? line->machine.nics : std::vector<NicConfig>{};
}

std::string bad(std::vector<std::string> words) {
    return complaint(parse, std::move(words));
}

TEST(NetworkOptions, DefaultIsQemus) {
    const auto one = nics({});
    ASSERT_EQ(one.size(), has_user_networks() ? 1u : 0u);
    if (!one.empty()) {
        EXPECT_EQ(one[0].model, NicModel::e1000);
        EXPECT_TRUE(one[0].user);
        EXPECT_EQ(one[0].mac, (std::array<u8, 6>{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}));
    }
    EXPECT_TRUE(nics({"-nodefaults"}).empty());
    EXPECT_TRUE(nics({"-nic", "none"}).empty());
    EXPECT_TRUE(nics({"-net", "none"}).empty());
    EXPECT_TRUE(nics({"-clock", "deterministic"}).empty()) << "a network upsets what is to repeat";
}

TEST(NetworkOptions, NicTakesModelAndNetwork) {
    const auto two = nics({"-nic", "user,model=rtl8139,hostfwd=tcp::5555-:80,restrict=on,hostname=x,dump=f",
                           "-nic", "user,mac=52:54:00:aa:bb:cc,net=192.168.7.0/24,romfile=", "-nodefaults"});
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[0].model, NicModel::rtl8139);
    EXPECT_EQ(two[0].dumps, std::vector<std::string>{"f"});
    EXPECT_TRUE(two[0].user->restricted);
    ASSERT_EQ(two[0].user->forwards.size(), 1u);
    EXPECT_EQ(two[0].user->forwards[0].host_port, 5555);
    EXPECT_EQ(two[0].user->forwards[0].guest_port, 80);
    EXPECT_EQ(two[1].model, NicModel::e1000);
    EXPECT_EQ(two[1].mac[5], 0xCC);
    EXPECT_EQ(two[1].rom, "");
    EXPECT_EQ(ipv4_text(two[1].user->host), "192.168.7.2");
    EXPECT_EQ(ipv4_text(two[1].user->dhcp_start), "192.168.7.15");
    EXPECT_EQ(ipv4_text(two[1].user->dns), "192.168.7.3");
}

TEST(NetworkOptions, NetdevAndDeviceInAnyOrder) {
    const auto two =
        nics({"-device", "ne2k_pci,netdev=b", "-device", "e1000,netdev=a,mac=02:00:00:00:00:01", "-netdev",
              "user,id=a", "-netdev", "user,id=b", "-object", "filter-dump,id=d,netdev=b,file=F"});
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[0].model, NicModel::ne2k_pci);
    EXPECT_EQ(two[0].id, "b");
    EXPECT_EQ(two[0].dumps, std::vector<std::string>{"F"});
    EXPECT_EQ(two[1].id, "a");
    const auto alone = nics({"-device", "e1000"});
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_FALSE(alone[0].user) << "no cable";
    const auto isa = nics({"-device", "ne2k_isa,iobase=0x320,irq=5"});
    ASSERT_EQ(isa.size(), 1u);
    EXPECT_EQ(isa[0].iobase, 0x320);
    EXPECT_EQ(isa[0].irq, 5);
}

TEST(NetworkOptions, SaysWhatIsWrong) {
    EXPECT_SAYS(bad({"-nic", "user,model=e1001"}), "there is no network adapter \"e1001\"; there are e1000");
    EXPECT_SAYS(bad({"-nic", "tap"}), "use user or none");
    EXPECT_SAYS(bad({"-nic", "user,colour=red"}), "unknown key \"colour\"");
    EXPECT_SAYS(bad({"-nic", "user,mac=52:54:00:12:34"}), "is not a MAC address");
    EXPECT_SAYS(bad({"-nic", "user,mac=53:54:00:12:34:56"}), "group address");
    EXPECT_SAYS(bad({"-nic", "user,net=10.0.2.0/33"}), "prefix length");
    EXPECT_SAYS(bad({"-nic", "user,net=10.0.300.0/24"}), "is not an IPv4 address");
    EXPECT_SAYS(bad({"-nic", "user,host=10.0.3.2"}), "no address in the network");
    EXPECT_SAYS(bad({"-nic", "user,restrict=perhaps"}), "restrict");
    EXPECT_SAYS(bad({"-nic", "user,hostfwd=tcp:80"}), "the form is tcp|udp:[hostaddr]:port-[guestaddr]:port");
    EXPECT_SAYS(bad({"-nic", "user,hostfwd=sctp::1-:1"}), "neither tcp nor udp");
    EXPECT_SAYS(bad({"-nic", "user,hostfwd=tcp::0-:1"}), "not a port");
    EXPECT_SAYS(bad({"-nic", "user,hostfwd=tcp::99999-:1"}), "not a port");
    EXPECT_SAYS(bad({"-netdev", "user"}), "needs id=");
    EXPECT_SAYS(bad({"-netdev", "user,id=a"}), "no adapter uses it");
    EXPECT_SAYS(bad({"-device", "e1000,netdev=a"}), "no -netdev with id=a");
    EXPECT_SAYS(bad({"-netdev", "user,id=a", "-device", "e1000,netdev=a", "-device", "e1000,netdev=a"}),
                "has an adapter already");
    EXPECT_SAYS(bad({"-device", "e1000,speed=9"}), "no key \"speed\"");
    EXPECT_SAYS(bad({"-nic", "none", "-nic", "user"}), "contradicts");
    EXPECT_SAYS(bad({"-object", "filter-dump,id=d,netdev=z,file=F"}), "no network with id=z");
    EXPECT_SAYS(bad({"-object", "rng"}), "there is filter-dump");
}

TEST(NetworkOptions, ForwardsWithAddresses) {
    const auto f = parse_host_forward("udp:127.0.0.1:53-10.0.2.9:5353");
    ASSERT_TRUE(f.ok());
    EXPECT_TRUE(f->udp);
    EXPECT_EQ(f->host_address, 0x7F000001u);
    EXPECT_EQ(f->host_port, 53);
    EXPECT_EQ(f->guest_address, 0x0A000209u);
    EXPECT_EQ(f->guest_port, 5353);
    for (const char* text : {"", "tcp", "tcp:", "tcp::1", "tcp::1-", "tcp::1-2", "tcp:x:1-:2", "tcp::-:2"})
        EXPECT_FALSE(parse_host_forward(text).ok()) << text;
}

TEST(PcapFile, IsAsTheFormatSays) {
    const std::string path = (std::filesystem::temp_directory_path() / "mynah-pcap-test").string();
    {
        auto file = PcapFile::create(path);
        ASSERT_TRUE(file.ok());
        const u8 frame[] = {1, 2, 3, 4, 5};
        file->add(frame, 7'000'000'009);
    }
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> got{std::istreambuf_iterator<char>(in), {}};
    std::filesystem::remove(path);
    ASSERT_EQ(got.size(), 24u + 16 + 5);
    EXPECT_EQ(load_le<u32>(&got[0]), 0xA1B23C4Du);
    EXPECT_EQ(load_le<u16>(&got[4]), 2);
    EXPECT_EQ(load_le<u16>(&got[6]), 4);
    EXPECT_EQ(load_le<u32>(&got[20]), 1u);
    EXPECT_EQ(load_le<u32>(&got[24]), 7u);
    EXPECT_EQ(load_le<u32>(&got[28]), 9u);
    EXPECT_EQ(load_le<u32>(&got[32]), 5u);
    EXPECT_EQ(load_le<u32>(&got[36]), 5u);
    EXPECT_EQ(got[44], 5);
    EXPECT_FALSE(PcapFile::create("/nowhere/at/all").ok());
}

class UserNetworks : public testing::Test {
  protected:
    void SetUp() override {
        if (!has_user_networks()) GTEST_SKIP() << "built without libslirp";
    }
};

TEST_F(UserNetworks, AnswerArp) {
    NicConfig nic;
    nic.user.emplace();
    auto hub = NetworkHub::create({nic});
    ASSERT_TRUE(hub.ok());
    ASSERT_EQ((*hub)->networks().size(), 1u);
    // Who has 10.0.2.2? Tell 10.0.2.15.
    std::vector<u8> ask(42);
    std::fill_n(ask.begin(), 6, u8{0xFF});
    const u8 me[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    const u8 arp[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
    const u8 from[] = {10, 0, 2, 15}, of[] = {10, 0, 2, 2};
    std::copy(std::begin(me), std::end(me), ask.begin() + 6);
    std::copy(std::begin(arp), std::end(arp), ask.begin() + 12);
    std::copy(std::begin(me), std::end(me), ask.begin() + 22);
    std::copy(std::begin(from), std::end(from), ask.begin() + 28);
    std::copy(std::begin(of), std::end(of), ask.begin() + 38);
    NetBackend& end = *(*hub)->networks()[0];
    end.send(ask);
    (*hub)->poll();
    unsigned told = 0;
    EXPECT_TRUE((*hub)->deliver([&](unsigned index) { told += index == 0; }));
    EXPECT_EQ(told, 1u);
    EXPECT_FALSE((*hub)->deliver([&](unsigned) { FAIL() << "told twice"; }));
    std::vector<u8> answer;
    ASSERT_TRUE(end.receive(answer));
    ASSERT_GE(answer.size(), 42u);
    EXPECT_EQ(answer[21], 2) << "a reply";
    EXPECT_TRUE(std::equal(std::begin(me), std::end(me), answer.begin()));
    EXPECT_FALSE(end.receive(answer));
    EXPECT_NE((*hub)->describe(0).find("host=10.0.2.2"), std::string::npos);
}

TEST_F(UserNetworks, SayWhichPortIsTaken) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    NicConfig nic;
    nic.id = "net0";
    nic.user.emplace();
    nic.user->forwards.push_back(
        {.host_address = INADDR_LOOPBACK, .host_port = ntohs(address.sin_port), .guest_port = 80});
    const auto hub = NetworkHub::create({nic});
    ::close(fd);
    ASSERT_FALSE(hub.ok());
    EXPECT_SAYS(hub.error().message, "cannot listen on TCP port");
    EXPECT_SAYS(hub.error().message, "give another port");
}

}  // namespace
}  // namespace mynah
