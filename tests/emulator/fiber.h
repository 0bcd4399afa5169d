#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <functional>
#include <memory>

namespace ropeline::emulator {

/// A function with a stack of its own that can be left in the middle and resumed. AddressSanitizer is told of each
/// switch, so that it watches the fiber's locals too.
class Fiber {
 public:
  Fiber();

  /// Makes the fiber ready to run `body` from its beginning, on a stack filled with `poison`. A body that was left in
  /// the middle is forgotten; it must hold nothing that needs destruction.
  void start(const std::function<void()>& body, std::byte poison);

  /// Runs until the body yields or ends. From outside.
  void resume();

  /// Leaves the body for whoever resumed it. From inside.
  void yield();

  bool ended() const { return ended_; }

 private:
  static void enter(boost::context::detail::transfer_t from);
  void leave(void** fake_stack);

  struct Unmap {
    void operator()(std::byte* stack) const;
  };

  std::unique_ptr<std::byte, Unmap> stack_;
  const std::function<void()>* body_ = nullptr;
  boost::context::detail::fcontext_t context_ = nullptr, outside_ = nullptr;
  const void* outside_stack_ = nullptr;
  std::size_t outside_size_ = 0;
  bool ended_ = true;
};

}  // namespace ropeline::emulator
