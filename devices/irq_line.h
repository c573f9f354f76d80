// An output pin. It keeps no level: the sink does, so nothing here is saved.
#pragma once

#include <functional>
#include <utility>

namespace mynah {

class IrqLine {
  public:
    using Sink = std::function<void(bool level)>;

    IrqLine() = default;
    explicit IrqLine(Sink sink) : sink_(std::move(sink)) {}

    void connect(Sink sink) { sink_ = std::move(sink); }
    void set(bool level) const {
        if (sink_) sink_(level);
    }
    void raise() const { set(true); }
    void lower() const { set(false); }
    // A low-high edge for edge-triggered inputs.
    void pulse() const {
        lower();
        raise();
    }

  private:
    Sink sink_;
};

}  // namespace mynah
