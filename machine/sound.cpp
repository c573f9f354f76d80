// The machine's sound: who plays on what, and when it goes to the host.
#include "machine/pc.h"

namespace mynah {

namespace {

// Virtual time between two looks at what was played.
constexpr Nanoseconds kEvery = 5'000'000;

}  // namespace

AudioMixer* Pc::mixer(const std::string& id) {
    const auto found = host_.audio.find(id);
    if (id.empty() || found == host_.audio.end() || found->second == nullptr) return nullptr;
    std::unique_ptr<AudioMixer>& mixer = mixers_[id];
    if (!mixer) mixer = std::make_unique<AudioMixer>(*found->second);
    return mixer.get();
}

void Pc::make_sound() {
    if (AudioMixer* m = mixer(config_.speaker_audiodev))
        speaker_ = std::make_unique<PcSpeaker>(queue_, pit_, system_control_, *m);
    if (!config_.sb16) return;
    const Sb16Config& c = *config_.sb16;
    // Not the line's first driver: interrupt 9 has one.
    sb16_ = std::make_unique<Sb16>(
        queue_, dma_, Sb16Mixer::Resources{c.irq, c.dma, c.dma16},
        [this](unsigned irq, bool level) { irqs_.set(irq, IrqRouter::isa_second, level); },
        mixer(c.audiodev));
}

void Pc::pass_sound_on() {
    if (mixers_.empty()) return;
    const Nanoseconds t = now();
    if (t < next_sound_) return;
    next_sound_ = t + kEvery;
    if (speaker_) speaker_->sync();
    for (const auto& [id, m] : mixers_) m->advance(t);
}

void Pc::finish_sound() {
    if (mixers_.empty()) return;
    if (speaker_) speaker_->sync();
    for (const auto& [id, m] : mixers_) m->finish(now());
}

void Pc::restart_sound() {
    next_sound_ = 0;
    if (speaker_) speaker_->restart();
    for (const auto& [id, m] : mixers_) m->restart(now());
}

}  // namespace mynah
