#include "frontend/audio_sdl.h"

#ifdef MYNAH_SDL
#include <SDL.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#endif

namespace mynah {

#ifdef MYNAH_SDL

namespace {

constexpr size_t kRing = 16384;  // frames; a power of two
constexpr size_t kFull = kMixRate / 5;
// Playing starts, also after it ran dry, with so much in hand.
constexpr size_t kStart = kMixRate / 20;
constexpr u16 kCallbackFrames = 512;

class SdlAudio final : public AudioBackend {
  public:
    ~SdlAudio() override {
        if (device_ != 0) SDL_CloseAudioDevice(device_);
        SDL_QuitSubSystem(SDL_INIT_AUDIO);
    }

    Status open() {
        SDL_AudioSpec wanted{};
        wanted.freq = static_cast<int>(kMixRate);
        wanted.format = AUDIO_S16SYS;
        wanted.channels = 2;
        wanted.samples = kCallbackFrames;
        wanted.callback = [](void* self, Uint8* out, int bytes) {
            static_cast<SdlAudio*>(self)->fill(out, static_cast<size_t>(bytes));
        };
        wanted.userdata = this;
        device_ = SDL_OpenAudioDevice(nullptr, 0, &wanted, nullptr, 0);
        if (device_ == 0) return Error{fmt::format("SDL opens no sound device: {}", SDL_GetError())};
        SDL_PauseAudioDevice(device_, 0);
        return Ok{};
    }

    void play(std::span<const StereoFrame> frames) override {
        const size_t written = written_.load(std::memory_order_relaxed);
        const size_t waiting = written - read_.load(std::memory_order_acquire);
        const size_t count = std::min(frames.size(), kFull - std::min(waiting, kFull));
        for (size_t i = 0; i < count; ++i) ring_[(written + i) % kRing] = frames[i];
        written_.store(written + count, std::memory_order_release);
    }

    void silence(u64 frames) override {
        static constexpr std::array<StereoFrame, 256> kNothing{};
        for (u64 left = std::min<u64>(frames, kFull); left != 0;) {
            const size_t n = static_cast<size_t>(std::min<u64>(left, kNothing.size()));
            play(std::span(kNothing).first(n));
            left -= n;
        }
    }

  private:
    // On SDL's thread.
    void fill(u8* out, size_t bytes) {
        const size_t wanted = bytes / sizeof(StereoFrame);
        const size_t read = read_.load(std::memory_order_relaxed);
        const size_t waiting = written_.load(std::memory_order_acquire) - read;
        playing_ = playing_ ? waiting != 0 : waiting >= kStart;
        const size_t count = playing_ ? std::min(wanted, waiting) : 0;
        for (size_t i = 0; i < count; ++i)
            std::memcpy(out + i * sizeof(StereoFrame), &ring_[(read + i) % kRing], sizeof(StereoFrame));
        std::memset(out + count * sizeof(StereoFrame), 0, bytes - count * sizeof(StereoFrame));
        read_.store(read + count, std::memory_order_release);
    }

    SDL_AudioDeviceID device_ = 0;
    std::array<StereoFrame, kRing> ring_{};
    std::atomic<size_t> written_{0}, read_{0};
    bool playing_ = false;  // SDL's thread alone
};

}  // namespace

Result<std::unique_ptr<AudioBackend>> open_sdl_audio() {
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0)
        return Error{fmt::format("SDL has no sound here: {}", SDL_GetError())};
    auto audio = std::make_unique<SdlAudio>();
    if (Status s = audio->open(); !s) return s.error();
    return std::unique_ptr<AudioBackend>(std::move(audio));
}

#else

Result<std::unique_ptr<AudioBackend>> open_sdl_audio() {
    return Error{
        "this mynah was built without SDL; use -audiodev wav or none (scripts/install-deps and a new "
        "build bring it)"};
}

#endif

}  // namespace mynah
