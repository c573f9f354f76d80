// The engines that a test can run guest code on. The translator is given every block at once (heat 0), so
// that short programs reach it.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "cpu/cpu.h"
#include "jit/jit.h"

namespace mynah::test {

enum class Engine : u8 { interp, jit };

// What a translator that was asked for came to.
struct EngineUse {
    bool made = false;
    u64 runs = 0;  // entries of translated code
    std::string describe() const {
        if (!Jit::supported()) return "this host has no translator; interpreted";
        if (!made) return "there is no translator; interpreted";
        return fmt::format("translated code was entered {} times", runs);
    }
};

class CountedAccelerator final : public Accelerator {
  public:
    CountedAccelerator(std::unique_ptr<Accelerator> inner, EngineUse& use)
        : inner_(std::move(inner)), use_(use) {}
    bool run(const Block& b) override {
        const bool ran = inner_->run(b);
        use_.runs += ran;
        return ran;
    }
    bool run_straddling() override {
        const bool ran = inner_->run_straddling();
        use_.runs += ran;
        return ran;
    }
    void drop_all() override { inner_->drop_all(); }
    std::string describe() const override { return inner_->describe(); }
    std::string explain(u64 rip) const override { return inner_->explain(rip); }

  private:
    std::unique_ptr<Accelerator> inner_;
    EngineUse& use_;
};

// `use` must outlive the processor.
inline AcceleratorFactory accelerator(Engine engine, EngineUse& use, const JitOptions& options = {}) {
    if (engine == Engine::interp) return {};
    return [&use, options](Core& core, PhysicalMap& memory) -> std::unique_ptr<Accelerator> {
        auto inner = Jit::create(core, memory, options);
        use.made = inner != nullptr;
        if (inner == nullptr) return nullptr;
        return std::make_unique<CountedAccelerator>(std::move(inner), use);
    };
}

// MYNAH_ENGINE=jit: suites that run on either are run again on the translator.
inline Engine engine_of_environment() {
    const char* name = std::getenv("MYNAH_ENGINE");
    return name != nullptr && std::string_view(name) == "jit" ? Engine::jit : Engine::interp;
}

}  // namespace mynah::test
