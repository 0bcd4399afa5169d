#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "ropeline/export.h"

namespace ropeline::jit {
namespace detail {

/// The one lock of every Once. It is held for moments only, and over fork(), so that a child never finds it taken by a
/// thread that it does not have.
ROPELINE_API std::unique_lock<std::mutex> hold_once();

/// Counts the forks behind this process. What was under way before a fork is nobody's work after it.
ROPELINE_API unsigned generation() noexcept;

}  // namespace detail

/// Values that are made once per key, however many threads ask. The others wait for the one that makes it. A failure
/// reaches all that waited for it and is not kept: the next call tries again. A value once made stays, at one address,
/// as long as the Once does; finding it takes no lock. A child process keeps the finished values of its parent.
///
/// `make` must not ask for its own key.
template <class Key, class Value, class Hash = std::hash<Key>>
class Once {
 public:
  Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;
  ~Once() {
    for (auto& bucket : buckets_)
      for (Node* node = bucket.load(std::memory_order_relaxed); node;) delete std::exchange(node, node->next);
  }

  /// The value of the key, or null while there is none.
  const Value* find(const Key& key) const {
    for (const Node* node = bucket(key).load(std::memory_order_acquire); node; node = node->next)
      if (node->key == key) return &node->value;
    return nullptr;
  }

  /// The value of the key; the first caller makes it. Throws what `make` throws.
  template <class Make>
  const Value& get(const Key& key, Make&& make) {
    if (const Value* value = find(key)) return *value;
    std::shared_ptr<Flight> flight;
    if (const Value* value = board(key, flight)) return *value;
    if (flight->seats.fetch_add(1) > 0) return *flight->result.get();
    try {
      const Value& value = keep(key, std::forward<Make>(make)());
      flight->promise.set_value(&value);
      return value;
    } catch (...) {
      forget(key);
      flight->promise.set_exception(std::current_exception());
      throw;
    }
  }

 private:
  struct Node {
    Key key;
    Value value;
    Node* next;
  };

  // A value that is being made. The first to take a seat makes it.
  struct Flight {
    unsigned generation = detail::generation();
    std::atomic<int> seats = 0;
    std::promise<const Value*> promise;
    std::shared_future<const Value*> result = promise.get_future().share();
  };

  std::atomic<Node*>& bucket(const Key& key) const { return buckets_[Hash{}(key) % buckets_.size()]; }

  const Value* board(const Key& key, std::shared_ptr<Flight>& flight) {
    const auto lock = detail::hold_once();
    if (const Value* value = find(key)) return value;
    std::shared_ptr<Flight>& slot = flights_[key];
    if (!slot || slot->generation != detail::generation()) slot = std::make_shared<Flight>();
    flight = slot;
    return nullptr;
  }

  const Value& keep(const Key& key, Value&& value) {
    auto node = std::make_unique<Node>(Node{key, std::move(value), nullptr});
    const auto lock = detail::hold_once();
    node->next = bucket(key).load(std::memory_order_relaxed);
    bucket(key).store(node.get(), std::memory_order_release);
    flights_.erase(key);
    return node.release()->value;
  }

  void forget(const Key& key) {
    const auto lock = detail::hold_once();
    flights_.erase(key);
  }

  mutable std::array<std::atomic<Node*>, 256> buckets_ = {};
  std::map<Key, std::shared_ptr<Flight>> flights_;
};

}  // namespace ropeline::jit
