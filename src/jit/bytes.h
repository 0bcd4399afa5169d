#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace ropeline::jit {

static_assert(std::endian::native == std::endian::little, "entries and packs are written as memory is");

/// Appends numbers and texts.
class Writer {
 public:
  template <std::integral T>
  void number(T x) {
    bytes_.append(reinterpret_cast<const char*>(&x), sizeof x);
  }
  void text(std::string_view x) {
    number<std::uint64_t>(x.size());
    bytes_ += x;
  }
  void raw(std::string_view x) { bytes_ += x; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Takes them off again. Reading past the end makes the reader not ok, and gives zeros and empty texts from there on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral T>
  T number() {
    T x = 0;
    const std::string_view bytes = raw(sizeof x);
    if (ok_) std::memcpy(&x, bytes.data(), sizeof x);
    return x;
  }
  std::string_view text() { return raw(number<std::uint64_t>()); }
  std::string_view raw(std::uint64_t size) {
    ok_ = ok_ && size <= rest_.size();
    const std::string_view bytes = rest_.substr(0, ok_ ? size : 0);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace ropeline::jit
