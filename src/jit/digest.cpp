#include "digest.h"

#include <openssl/evp.h>

#include <memory>

#include "ropeline/error.h"

namespace ropeline::jit {

namespace {

void check(int ok) {
  if (ok != 1) throw ropeline::Error(ErrorKind::internal, "SHA-256 is not available in this build of OpenSSL");
}

// Looked up once: OpenSSL 3 takes longer to find it by name than to digest a page.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return fetched ? fetched : EVP_sha256();
}

}  // namespace

Digest sha256(std::string_view bytes) { return sha256({bytes}); }

Digest sha256(std::initializer_list<std::string_view> parts) {
  Digest digest;
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  check(context && EVP_DigestInit_ex(context.get(), algorithm(), nullptr));
  for (const std::string_view part : parts) check(EVP_DigestUpdate(context.get(), part.data(), part.size()));
  check(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
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
