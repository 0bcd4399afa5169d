#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace ropeline::tools {

struct Outcome {
  int code;
  std::string text;  // both streams
};

/// Runs the program. `environment`: "ROPELINE_NO_COMPILE=1 ...", put before it.
inline Outcome program(const std::string& arguments, const std::string& environment = "") {
  FILE* pipe = popen((environment + " " ROPELINE_PROGRAM " " + arguments + " 2>&1").c_str(), "r");
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Tests with a folder of their own.
class Program : public testing::Test {
 protected:
  Program() : folder_(std::filesystem::temp_directory_path() / ("ropeline_program_test_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Program() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace ropeline::tools
