#pragma once

#include <unistd.h>

namespace ropeline::jit {

/// This process as user 65534 as far as files are concerned, until it ends. False when it may not.
class OtherUser {
 public:
  OtherUser() : became_(seteuid(65534) == 0) {}
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;
  ~OtherUser() {
    if (became_) became_ = seteuid(0) == 0;
  }
  explicit operator bool() const { return became_; }

 private:
  bool became_;
};

}  // namespace ropeline::jit
