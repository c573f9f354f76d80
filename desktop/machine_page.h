// A running machine: its screen, the menus that work it, lights and log.
#pragma once

#include <memory>
#include <string>

#include "desktop/dialogs.h"
#include "desktop/file_picker.h"
#include "desktop/guest_input.h"
#include "desktop/gui.h"
#include "desktop/machine_thread.h"
#include "desktop/screen_view.h"

namespace mynah {

class MachinePage {
  public:
    // `folder`: for states and pictures; made when needed.
    MachinePage(Gui& gui, std::unique_ptr<MachineThread> machine, std::string name, std::string folder);
    ~MachinePage();

    // What ImGui should not see. True: taken.
    bool handle(const SDL_Event& event);
    // After the events of a round. True: there is something new to draw.
    bool update();
    void draw();
    // Milliseconds until something changes by itself; -1: nothing does.
    int timeout() const;
    // The person wants to leave; asks first.
    void ask_to_close();

    bool closed() const { return closed_; }
    const MachineNews& news() const { return news_; }

  private:
    // Shines for a moment when its count has changed.
    class Light {
      public:
        // True: it went on or off.
        bool update(bool blink, Uint32 now);
        bool on() const { return on_; }
        // Milliseconds until it goes off.
        int left() const;

      private:
        Uint32 until_ = 0;
        bool on_ = false;
    };
    struct Action;
    static const std::vector<Action>& actions();
    void draw_menus();
    void menu_item(std::string_view id);
    void draw_media_menu();
    void draw_status(float height);
    static void draw_light(const char* label, bool on);
    void draw_log(float height);
    bool hot_key(const SDL_KeyboardEvent& key);

    void toggle_pause();
    void toggle_mouse();
    void toggle_fullscreen();
    void toggle_log();
    void save_state();
    void restore_state();
    void screenshot();
    void paste();
    void change_medium(const std::string& drive, const std::string& now);
    void first_medium(DriveMedia media);
    void eject(const std::string& drive);
    void set_scaling(Scaling scaling);
    // Makes the window as large as the picture asks for.
    void fit_window();
    float bars_height() const;
    bool guest_has_keys() const;

    Gui& gui_;
    std::unique_ptr<MachineThread> machine_;
    std::string name_, folder_;
    ScreenView view_;
    GuestInput input_;
    MachineNews news_;
    ErrorDialog errors_;
    QuestionDialog question_;
    FilePicker picker_;
    Scaling scaling_ = Scaling::fit;
    bool show_log_ = false;
    u64 log_version_ = 0;
    Light disk_light_, network_light_;
    std::string note_;
    bool closed_ = false;
};

}  // namespace mynah
