// What the tests of the command line share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mynah {

// The one line that a user gets for words that are wrong.
template <class Parse>
std::string complaint(Parse parse, std::vector<std::string> words) {
    auto line = parse(std::move(words));
    EXPECT_FALSE(line.ok());
    if (line.ok()) return "";
    EXPECT_EQ(line.error().message.find('\n'), std::string::npos);
    return line.error().message;
}

}  // namespace mynah

#define EXPECT_SAYS(message, part) EXPECT_NE((message).find(part), std::string::npos) << message
