// Random I/O on an image beside a model of the disk's content.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "block/qcow2/qcow2.h"
#include "support/random.h"

namespace mynah::test {

class Exercise {
  public:
    Exercise(u64 seed, std::vector<u8> content) : random_(seed), model(std::move(content)) {}

    // One read, write, discard or zeroing; sector-aligned, up to some clusters long.
    void step(Qcow2& image) {
        const u64 sectors = model.size() / 512;
        const u64 first = random_.below(static_cast<u32>(sectors));
        const u64 most = random_.chance(4) ? 4 * image.header().cluster_size() / 512 : 16;
        const u64 count = std::min<u64>(1 + random_.below(static_cast<u32>(most)), sectors - first);
        const u64 offset = first * 512, bytes = count * 512;
        const auto at = model.begin() + static_cast<std::ptrdiff_t>(offset);
        switch (random_.below(8)) {
            case 0: {  // what is not a whole cluster may stay
                ASSERT_TRUE(image.discard(offset, bytes).ok());
                std::vector<u8> now(bytes);
                ASSERT_TRUE(image.read(offset, now).ok());
                for (u64 i = 0; i < bytes; ++i)
                    ASSERT_TRUE(now[i] == 0 || now[i] == at[static_cast<std::ptrdiff_t>(i)]);
                std::copy(now.begin(), now.end(), at);
                break;
            }
            case 1:
                ASSERT_TRUE(image.write_zeroes(offset, bytes).ok());
                std::fill_n(at, bytes, u8{0});
                break;
            case 2:
            case 3: {
                std::vector<u8> data(bytes);
                ASSERT_TRUE(image.read(offset, data).ok());
                ASSERT_TRUE(std::equal(data.begin(), data.end(), at)) << "at " << offset;
                break;
            }
            default: {
                std::vector<u8> data(bytes);
                for (u8& b : data) b = static_cast<u8>(random_.next());
                const Status s = image.write(offset, data);
                ASSERT_TRUE(s.ok()) << s.error().message;
                std::copy(data.begin(), data.end(), at);
                break;
            }
        }
    }
    void compare(Qcow2& image) {
        std::vector<u8> content(model.size());
        const Status s = image.read(0, content);
        ASSERT_TRUE(s.ok()) << s.error().message;
        ASSERT_TRUE(content == model);
    }
    Random& random() { return random_; }

  private:
    Random random_;

  public:
    std::vector<u8> model;
};

}  // namespace mynah::test
