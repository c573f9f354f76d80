#include "desktop/desktop.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/host_terminal.h"
#include "desktop/gui.h"
#include "desktop/library_page.h"
#include "desktop/machine_page.h"

namespace mynah {

namespace {

// How often a window without events looks for signals, ms.
constexpr int kLookForSignals = 300;
// ImGui lays out what is new in one frame and shows it right in the next.
constexpr int kSettle = 3;

// Wakes the window's loop from the machine's thread; once until the loop has looked.
class Bell {
  public:
    void ring() {
        if (!open_ || rung_.exchange(true)) return;
        SDL_Event event{};
        event.type = SDL_USEREVENT;
        if (SDL_PushEvent(&event) != 1) rung_ = false;
    }
    void heard() { rung_ = false; }
    void open() { open_ = true; }

  private:
    std::atomic<bool> open_ = false, rung_ = false;
};

class Desktop {
  public:
    Desktop(std::unique_ptr<Gui> gui, Bell& bell, const Library* library)
        : gui_(std::move(gui)), bell_(bell), library_(library) {
        if (library_ != nullptr) page_ = std::make_unique<LibraryPage>(*gui_, *library_);
    }

    void show(std::unique_ptr<MachineThread> machine, const std::string& name, const std::string& folder) {
        machine_ = std::make_unique<MachinePage>(*gui_, std::move(machine), name, folder);
    }
    Result<int> run();

  private:
    // True: a frame is wanted before the next event.
    bool handle(const SDL_Event& event);
    void draw();
    void start(const LibraryPage::Wish& wish);
    void machine_ended();

    std::unique_ptr<Gui> gui_;
    Bell& bell_;
    const Library* library_;  // null: one machine only
    std::unique_ptr<LibraryPage> page_;
    std::unique_ptr<MachinePage> machine_;
    int frames_ = kSettle;  // to be drawn
    bool done_ = false;
    Result<int> result_ = 0;
};

bool Desktop::handle(const SDL_Event& event) {
    if (event.type == SDL_USEREVENT) return false;  // update() looks at the news
    if (event.type == SDL_QUIT) {
        if (machine_)
            machine_->ask_to_close();
        else
            done_ = true;
        frames_ = kSettle;
        return false;
    }
    // Movements over the guest's screen change nothing in the window.
    if (machine_ && machine_->handle(event)) {
        // A key that went down in the library or a dialog may come up here: ImGui would take it for held.
        if (event.type == SDL_KEYUP) gui_->process(event);
        if (event.type != SDL_MOUSEMOTION) frames_ = kSettle;
        return false;
    }
    frames_ = kSettle;
    return gui_->process(event);
}

void Desktop::draw() {
    gui_->begin_frame();
    LibraryPage::Wish wish;
    if (machine_)
        machine_->draw();
    else if (page_)
        wish = page_->draw();
    gui_->end_frame();
    if (!wish.start.empty()) start(wish);
    done_ |= wish.quit;
}

void Desktop::start(const LibraryPage::Wish& wish) {
    const std::string folder = library_->folder_of(wish.start);
    const auto profile = library_->load(wish.start);
    if (!profile) return page_->show_error(profile.error().message);
    auto words = profile_arguments(*profile, folder);
    if (wish.resume) words.insert(words.end(), {"-loadvm", state_file(folder)});
    const auto line = parse_command_line(words, host_time(), WindowSupport::ready);
    if (!line) return page_->show_error(line.error().message);
    show(std::make_unique<MachineThread>(line->machine, [this] { bell_.ring(); }), wish.start, folder);
}

void Desktop::machine_ended() {
    const MachineNews news = machine_->news();
    machine_.reset();
    frames_ = kSettle;
    if (library_ == nullptr) {
        done_ = true;
        if (!news.failure.empty())
            result_ = Error{news.failure};
        else
            result_ = news.exit_code;
        return;
    }
    if (!news.failure.empty()) page_->show_error(news.failure + ". Ctrl+E changes the machine.");
    page_->refresh();
}

Result<int> Desktop::run() {
    while (!done_) {
        SDL_Event event;
        const int quiet = machine_ ? machine_->timeout() : -1;
        const int wait = quiet < 0 ? kLookForSignals : std::min(quiet, kLookForSignals);
        bool got = frames_ > 0 ? SDL_PollEvent(&event) == 1 : SDL_WaitEventTimeout(&event, wait) == 1;
        bell_.heard();
        while (got && !handle(event)) got = SDL_PollEvent(&event) == 1;
        if (stop_signal() != 0) break;
        if (machine_) {
            if (machine_->update()) frames_ = std::max(frames_, 1);
            if (machine_->news().ended || machine_->closed()) machine_ended();
        }
        if (frames_ == 0 || done_) continue;
        --frames_;
        draw();
    }
    machine_.reset();
    return result_;
}

}  // namespace

WindowSupport window_support() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != 0;
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") ? WindowSupport::ready : WindowSupport::no_display;
}

Result<int> run_in_window(const MachineConfig& config, const std::string& name, const std::string& folder) {
    Bell bell;
    auto machine = std::make_unique<MachineThread>(config, [&bell] { bell.ring(); });
    // What cannot be made needs no window to say so.
    MachineNews news;
    do {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        news = machine->news();
    } while (!news.frame && !news.ended);
    if (!news.failure.empty()) return Error{news.failure};
    auto gui = Gui::open(name);
    if (!gui) return gui.error();
    bell.open();
    Desktop desktop(std::move(*gui), bell, nullptr);
    desktop.show(std::move(machine), name, folder);
    return desktop.run();
}

Result<int> run_library(const Library& library) {
    Bell bell;
    auto gui = Gui::open("mynah");
    if (!gui) return gui.error();
    bell.open();
    Desktop desktop(std::move(*gui), bell, &library);
    return desktop.run();
}

}  // namespace mynah
