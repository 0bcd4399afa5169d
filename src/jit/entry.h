#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "digest.h"
#include "ropeline/jit.h"

namespace ropeline::jit {

/// The bytes of a binary as a file of the cache holds them:
///   16 bytes magic, length of the rest as u64, fields, digest.
/// Numbers are little-endian; a text is its length as u64 and its bytes. The fields begin with the key's text. The
/// digest is the SHA-256 of everything before it, in which the key's text is replaced by its own SHA-256: who looks for
/// a key knows that already, and compares the text itself.
std::string entry_bytes(const Binary& binary);

/// A binary, or why the bytes are none.
struct Parsed {
  std::shared_ptr<const Binary> binary;
  std::string reason;
};

/// Verifies and reads an entry: magic, length, digest, and that it holds the binary of exactly this key.
Parsed parse_entry(std::string_view bytes, std::string_view key_text, const Digest& key);
inline Parsed parse_entry(std::string_view bytes, std::string_view key_text) {
  return parse_entry(bytes, key_text, sha256(key_text));
}

/// The same for the key that it holds, whatever that is.
Parsed parse_entry(std::string_view bytes);

}  // namespace ropeline::jit
