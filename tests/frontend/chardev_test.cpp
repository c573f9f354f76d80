// Character streams: files, sockets, and the Ctrl-A keys.
#include "frontend/chardev.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/char_hub.h"

namespace mynah {
namespace {

std::span<const u8> bytes(std::string_view s) {
    return {reinterpret_cast<const u8*>(s.data()), s.size()};
}

std::string take(CharBackend& c) {
    std::string s;
    for (u8 b; c.read(b);) s += static_cast<char>(b);
    return s;
}

class Folder : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "mynah-chardev-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    std::string path(std::string_view name) const { return folder + "/" + std::string(name); }
    std::unique_ptr<HostChar> open(const std::string& spec) {
        auto c = open_char(*parse_char_spec(spec));
        EXPECT_TRUE(c.ok()) << (c.ok() ? "" : c.error().message);
        return c.ok() ? std::move(*c) : nullptr;
    }
    std::string folder;
};

TEST_F(Folder, FileTakesOutput) {
    {
        auto c = open("file:" + path("out"));
        c->write(bytes("hello "));
        c->poll();
        c->write(bytes("world"));
        EXPECT_FALSE(c->input_waiting());
    }
    std::stringstream text;
    text << std::ifstream(path("out")).rdbuf();
    EXPECT_EQ(text.str(), "hello world");
}

TEST_F(Folder, SocketsCarryBothWays) {
    auto server = open("unix:" + path("s") + ",server");
    EXPECT_FALSE(server->connected());
    EXPECT_EQ(server->peers(), 0U);
    server->write(bytes("lost: nobody listens"));
    auto client = open("unix:" + path("s"));
    server->poll();
    EXPECT_TRUE(server->connected());
    EXPECT_EQ(server->peers(), 1U);
    server->write(bytes("to client"));
    client->write(bytes("to server"));
    server->poll();
    client->poll();
    server->poll();
    EXPECT_EQ(take(*client), "to client");
    EXPECT_EQ(take(*server), "to server");
    // The next peer is taken when the first has gone.
    client.reset();
    server->poll();
    client = open("unix:" + path("s"));
    server->poll();
    EXPECT_EQ(server->peers(), 2U);
    server->write(bytes("again"));
    server->poll();
    client->poll();
    EXPECT_EQ(take(*client), "again");
    server.reset();
    EXPECT_FALSE(std::filesystem::exists(path("s")));
}

TEST_F(Folder, ErrorsAreOneLine) {
    const auto error = [](const std::string& spec) {
        auto c = open_char(*parse_char_spec(spec));
        EXPECT_FALSE(c.ok());
        return c.ok() ? "" : c.error().message;
    };
    EXPECT_NE(error("file:/no/such/folder/x").find("No such file"), std::string::npos);
    EXPECT_NE(error("unix:" + path("none")).find("connect"), std::string::npos);
    EXPECT_NE(error("unix:/" + std::string(200, 'x')).find("too long"), std::string::npos);
    auto first = open("unix:" + path("s") + ",server,nowait");
    EXPECT_NE(error("unix:" + path("s") + ",server,nowait").find("in use"), std::string::npos);
}

TEST_F(Folder, SlowReadersLoseNothing) {
    auto server = open("unix:" + path("s") + ",server,nowait");
    auto client = open("unix:" + path("s"));
    server->poll();
    const std::string block(1000000, 'x');
    server->write(bytes(block));
    std::string got;
    for (int i = 0; i < 1000 && got.size() < block.size(); ++i) {
        server->poll();
        client->poll();
        got += take(*client);
    }
    EXPECT_EQ(got.size(), block.size());
}

// A stream whose input and output are strings.
class Script final : public HostChar {
  public:
    void type(std::string_view s) { input_.insert(input_.end(), s.begin(), s.end()); }
    std::string& output() { return output_; }
};

TEST(TerminalMux, KeysSwitchAndEnd) {
    Script stream;
    bool quit = false, sent_break = false;
    TerminalMux mux(stream, {[&] { quit = true; }, [&] { sent_break = true; }});
    stream.type("ab\x01\x01");
    mux.poll();
    EXPECT_EQ(take(mux.serial()), "ab\x01");
    stream.type(
        "\x01"
        "cinfo");
    mux.poll();
    EXPECT_TRUE(mux.monitor_has_input_focus());
    EXPECT_EQ(mux.monitor_visits(), 1u);
    EXPECT_EQ(take(mux.monitor()), "info");
    EXPECT_EQ(take(mux.serial()), "");
    stream.type(
        "\x01"
        "c\x01"
        "b\x01"
        "h");
    mux.poll();
    EXPECT_TRUE(sent_break);
    EXPECT_FALSE(mux.monitor_has_input_focus());
    EXPECT_NE(stream.output().find("C-a x"), std::string::npos);
    mux.serial().write(bytes("guest"));
    EXPECT_TRUE(stream.output().ends_with("guest"));
    EXPECT_FALSE(quit);
    stream.type("\x01x");
    mux.poll();
    EXPECT_TRUE(quit);
}

TEST_F(Folder, HubOpensWhatTheConfigurationNames) {
    MachineConfig c;
    c.serials = {{"file:" + path("serial")}, {"none"}, {"null"}};
    c.debugcon.spec = "file:" + path("debug");
    c.monitor.spec = "unix:" + path("monitor") + ",server,nowait";
    auto hub = CharHub::create(c, {});
    ASSERT_TRUE(hub.ok()) << hub.error().message;
    ASSERT_EQ((*hub)->serials().size(), 3u);
    EXPECT_EQ((*hub)->serials()[1], nullptr);
    (*hub)->serials()[0]->write(bytes("boot"));
    (*hub)->debugcon()->write(bytes("log"));
    EXPECT_TRUE((*hub)->ready());
    EXPECT_EQ((*hub)->waiting_for(), "");
    auto client = open("unix:" + path("monitor"));
    client->write(bytes("info\n"));
    client->poll();
    (*hub)->poll();
    (*hub)->poll();
    EXPECT_TRUE((*hub)->input_waiting());
    EXPECT_EQ(take(*(*hub)->monitor()), "info\n");
    (*hub)->wait(1000);
    hub = Error{""};
    EXPECT_EQ(std::filesystem::file_size(path("serial")), 4u);
    EXPECT_EQ(std::filesystem::file_size(path("debug")), 3u);
    c.debugcon.spec = "file:/no/such/folder/x";
    EXPECT_NE(CharHub::create(c, {}).error().message.find("-debugcon"), std::string::npos);
}

}  // namespace
}  // namespace mynah
