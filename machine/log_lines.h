// A character stream that goes to the log, line by line.
#pragma once

#include <string>

#include "base/log.h"
#include "devices/host.h"

namespace mynah {

class LogLines final : public CharBackend {
  public:
    LogLines(Log& log, LogItem item) : log_(log), item_(item) {}

    void write(std::span<const u8> data) override {
        if (!log_.enabled(item_)) return;
        for (const u8 byte : data) {
            if (byte == '\n' || line_.size() == kLongestLine) {
                log_.write(line_);
                line_.clear();
            }
            if (byte != '\n') line_ += static_cast<char>(byte);
        }
    }
    bool read(u8&) override { return false; }
    bool input_waiting() override { return false; }

  private:
    static constexpr size_t kLongestLine = 4096;

    Log& log_;
    LogItem item_;
    std::string line_;
};

}  // namespace mynah
