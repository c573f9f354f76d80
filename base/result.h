// A value, or one sentence that tells a person what went wrong and what to do about it.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace mynah {

struct Error {
    std::string message;
};

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        MYNAH_CHECK(ok());
        return std::get<0>(state_);
    }
    const T& value() const& {
        MYNAH_CHECK(ok());
        return std::get<0>(state_);
    }
    T&& value() && {
        MYNAH_CHECK(ok());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const {
        MYNAH_CHECK(!ok());
        return std::get<1>(state_);
    }

  private:
    std::variant<T, Error> state_;
};

// Success without a value.
struct Ok {};
using Status = Result<Ok>;

}  // namespace mynah
