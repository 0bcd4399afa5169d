#include "emulator/block.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <vector>

#include "emulator/fiber.h"

namespace ropeline::emulator {
namespace {

constexpr int kWarp = 32;

/// Lanes (or threads) that wait for each other at one place of the kernel.
struct Meeting {
  int expected = 0, arrived = 0;
  unsigned round = 0;
  const void* place = nullptr;
  float brought[2][kWarp] = {};  // by parity of the round: the next one may begin before all have read

  /// Whether the last one has come.
  bool arrive() {
    if (++arrived < expected) return false;
    arrived = 0;
    ++round;
    return true;
  }
};

struct Thread {
  Self self;
  Fiber fiber;
  Meeting* waits_for = nullptr;
  unsigned round = 0;
  int lane = 0, warp = 0;

  bool can_run() const { return !fiber.ended() && (!waits_for || waits_for->round != round); }
};

/// One block at a time runs, on the thread that called `launch`.
struct Block {
  std::vector<Thread> threads;
  std::vector<Meeting> warps;
  Meeting all;
  Conditions conditions;
  Thread* running = nullptr;
  std::string fault;
};

thread_local Block* current = nullptr;

std::string name_of(const Thread& t) {
  std::ostringstream out;
  out << "block (" << t.self.block.x << ", " << t.self.block.y << ", " << t.self.block.z << ") thread ("
      << t.self.thread.x << ", " << t.self.thread.y << ", " << t.self.thread.z << ") lane " << t.lane;
  return out.str();
}

[[noreturn]] void stop(std::string fault) {
  current->fault = std::move(fault);
  for (;;) current->running->fiber.yield();
}

void wait_for(Meeting& meeting) {
  Thread& thread = *current->running;
  thread.waits_for = &meeting;
  thread.round = meeting.round;
  if (!meeting.arrive())
    while (thread.round == meeting.round) thread.fiber.yield();
  thread.waits_for = nullptr;
}

void seat(Block& block, Index blocks, Index threads, Index at) {
  int n = 0;
  for (unsigned y = 0; y < threads.y; ++y)
    for (unsigned x = 0; x < threads.x; ++x, ++n) {
      Thread& thread = block.threads[n];
      thread.self = {{x, y, 0}, at, threads, blocks};
      thread.waits_for = nullptr;
      thread.lane = n % kWarp, thread.warp = n / kWarp;
    }
  for (std::size_t w = 0; w < block.warps.size(); ++w) {
    block.warps[w] = {};
    block.warps[w].expected = std::min(kWarp, n - static_cast<int>(w) * kWarp);
  }
  block.all = {};
  block.all.expected = n;
}

/// One turn for every thread that can run. False when none could.
bool turn(Block& block) {
  bool any = false;
  const std::size_t n = block.threads.size();
  for (std::size_t i = 0; i < n && block.fault.empty(); ++i) {
    Thread& thread = block.threads[block.conditions.backward ? n - 1 - i : i];
    if (!thread.can_run()) continue;
    any = true;
    block.running = &thread;
    thread.fiber.resume();
  }
  return any;
}

void run(Block& block, const std::function<void()>& body) {
  for (Thread& thread : block.threads) thread.fiber.start(body, block.conditions.poison);
  while (turn(block) && block.fault.empty()) {
  }
  for (const Thread& thread : block.threads)
    if (block.fault.empty() && !thread.fiber.ended())
      block.fault = name_of(thread) + (thread.waits_for == &block.all ? " waits at a barrier" : " waits at a shuffle") +
                    " that others never reach";
  if (!block.fault.empty()) throw Fault(block.fault);
}

}  // namespace

const Self& self() { return current->running->self; }

int own_lane() { return current->running->lane; }

float exchange_at(unsigned mask, float x, int from, const void* place) {
  Thread& thread = *current->running;
  Meeting& warp = current->warps[thread.warp];
  if (mask != 0xffffffffu || warp.expected != kWarp) stop(name_of(thread) + " shuffles with less than a whole warp");
  if (warp.arrived == 0) warp.place = place;
  if (warp.place != place) stop(name_of(thread) + " shuffles at another place than its warp");
  float(&brought)[kWarp] = warp.brought[warp.round % 2];
  brought[thread.lane] = x;
  wait_for(warp);
  return brought[from];
}

void barrier() { wait_for(current->all); }

float rsqrt_approx(float a) {
  if (std::fabs(a) < std::numeric_limits<float>::min()) a = std::copysign(0.0f, a);
  float y = static_cast<float>(1.0 / std::sqrt(static_cast<double>(a)));
  const int units = current ? current->conditions.estimate_units : 0;
  if (!std::isfinite(y) || y == 0) return y;
  for (int i = 0; i < std::abs(units); ++i) y = std::nextafter(y, units > 0 ? INFINITY : 0.0f);
  return y;
}

void launch(Index blocks, Index threads, const Conditions& conditions, const std::function<void()>& body) {
  static thread_local std::vector<Thread> idle;  // their stacks are dear
  const std::size_t count = std::size_t{threads.x} * threads.y;
  Block block;
  block.threads.swap(idle);
  block.threads.resize(count);
  block.warps.resize((count + kWarp - 1) / kWarp);
  block.conditions = conditions;
  current = &block;
  struct Restore {
    Block& block;
    ~Restore() { block.threads.swap(idle), current = nullptr; }
  } restore{block};
  for (unsigned z = 0; z < blocks.z; ++z)
    for (unsigned y = 0; y < blocks.y; ++y)
      for (unsigned x = 0; x < blocks.x; ++x) {
        seat(block, blocks, threads, {x, y, z});
        run(block, body);
      }
}

}  // namespace ropeline::emulator
