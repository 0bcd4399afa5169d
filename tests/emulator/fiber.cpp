#include "emulator/fiber.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace ropeline::emulator {
namespace {

constexpr std::size_t kStack = 256 * 1024, kGuard = 4096;
constexpr std::size_t kPoisoned = 16 * 1024;  // as deep as a kernel's frames reach

}  // namespace

void Fiber::Unmap::operator()(std::byte* stack) const { munmap(stack - kGuard, kStack + kGuard); }

Fiber::Fiber() {
  void* memory =
      mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuard, PROT_NONE);
  stack_.reset(static_cast<std::byte*>(memory) + kGuard);
}

void Fiber::start(const std::function<void()>& body, std::byte poison) {
  ASAN_UNPOISON_MEMORY_REGION(stack_.get(), kStack);
  std::memset(stack_.get() + kStack - kPoisoned, static_cast<int>(poison), kPoisoned);
  body_ = &body;
  ended_ = false;
  context_ = boost::context::detail::make_fcontext(stack_.get() + kStack, kStack, &Fiber::enter);
}

void Fiber::resume() {
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_.get(), kStack);
  context_ = boost::context::detail::jump_fcontext(context_, this).fctx;
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

void Fiber::leave(void** fake_stack) {
  __sanitizer_start_switch_fiber(fake_stack, outside_stack_, outside_size_);
  outside_ = boost::context::detail::jump_fcontext(outside_, nullptr).fctx;
}

void Fiber::yield() {
  void* fake_stack = nullptr;
  leave(&fake_stack);
  __sanitizer_finish_switch_fiber(fake_stack, &outside_stack_, &outside_size_);
}

void Fiber::enter(boost::context::detail::transfer_t from) {
  auto& fiber = *static_cast<Fiber*>(from.data);
  __sanitizer_finish_switch_fiber(nullptr, &fiber.outside_stack_, &fiber.outside_size_);
  fiber.outside_ = from.fctx;
  (*fiber.body_)();
  fiber.ended_ = true;
  fiber.leave(nullptr);
}

}  // namespace ropeline::emulator
