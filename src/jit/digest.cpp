#include "digest.h"

#include <openssl/evp.h>

#include "ropeline/error.h"

namespace ropeline::jit {

Digest sha256(std::string_view bytes) {
  Digest digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw ropeline::Error(ErrorKind::internal, "SHA-256 is not available in this build of OpenSSL");
  return digest;
}

std::string hex(const Digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (std::uint8_t byte : digest) text += digits[byte >> 4], text += digits[byte & 15];
  return text;
}

}  // namespace ropeline::jit
