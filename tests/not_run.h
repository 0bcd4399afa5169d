#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

// Counted as not run, by its name and with the reason.
#define ROPELINE_NOT_RUN(reason)                                                                             \
  do {                                                                                                       \
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();                              \
    std::printf("not run: %s.%s: %s\n", info->test_suite_name(), info->name(), std::string(reason).c_str()); \
    GTEST_SKIP() << reason;                                                                                  \
  } while (false)
