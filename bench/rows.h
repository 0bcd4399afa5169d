#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

// Named figures, printed as JSON, and how they are taken.
namespace ropeline::bench {

inline double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

/// Microseconds of one run.
template <class Work>
double once_us(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

/// Keeps a result from being optimised away.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

/// Microseconds of a call: the median over `rounds` of the mean of `calls`. `between` runs after each round, untimed.
template <class Work, class Between>
double median_us(int rounds, int calls, const Work& work, const Between& between) {
  std::vector<double> all;
  for (int round = 0; round < rounds; ++round) {
    all.push_back(once_us([&] {
                    for (int i = 0; i < calls; ++i) work();
                  }) /
                  calls);
    between();
  }
  return median(std::move(all));
}

template <class Work>
double median_us(int rounds, int calls, const Work& work) {
  return median_us(rounds, calls, work, [] {});
}

/// A table of figures in microseconds, one a row. What this machine cannot measure has its reason instead.
class Rows {
 public:
  void part(const std::string& name) { part_ = name; }

  void add(const std::string& what, double us, const std::string& note = {}) {
    char number[32];
    std::snprintf(number, sizeof number, "%.6g", us);
    row(what, "\"us\": " + std::string(number), note);
  }

  void not_run(const std::string& what, const std::string& reason) { row(what, "\"not_run\": " + quoted(reason), {}); }

  std::string json() const { return "[\n" + rows_ + "\n  ]"; }

  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    return out + "\"";
  }

 private:
  void row(const std::string& what, const std::string& value, const std::string& note) {
    rows_ += rows_.empty() ? "" : ",\n";
    rows_ += "    {\"part\": " + quoted(part_) + ", \"what\": " + quoted(what) + ", " + value;
    rows_ += note.empty() ? "}" : ", \"note\": " + quoted(note) + "}";
    std::fprintf(stderr, "%-12s %-60s %s %s\n", part_.c_str(), what.c_str(), value.c_str(), note.c_str());
  }

  std::string part_, rows_;
};

}  // namespace ropeline::bench
