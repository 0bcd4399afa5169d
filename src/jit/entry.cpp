#include "entry.h"

#include <algorithm>

#include "bytes.h"
#include "error.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kMagic{"ropeline jit 02\n", 16};
constexpr std::size_t kHead = kMagic.size() + sizeof(std::uint64_t), kDigest = sizeof(Digest);

std::string_view as_text(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

void write(Writer& out, const KernelFacts& kernel) {
  out.text(kernel.expression);
  out.text(kernel.symbol);
  for (int x :
       {kernel.registers, kernel.stack_bytes, kernel.spill_store_bytes, kernel.spill_load_bytes, kernel.shared_bytes})
    out.number<std::int32_t>(x);
}

KernelFacts read_kernel(Reader& in) {
  KernelFacts kernel;
  kernel.expression = in.text();
  kernel.symbol = in.text();
  for (int* x : {&kernel.registers, &kernel.stack_bytes, &kernel.spill_store_bytes, &kernel.spill_load_bytes,
                 &kernel.shared_bytes})
    *x = in.number<std::int32_t>();
  return kernel;
}

// What follows the key's text.
std::string fields_of(const Binary& binary) {
  Writer out;
  out.text(binary.architecture);
  out.text(binary.compiler);
  out.number<std::uint32_t>(static_cast<std::uint32_t>(binary.kernels.size()));
  for (const KernelFacts& kernel : binary.kernels) write(out, kernel);
  out.text(binary.image);
  return out.take();
}

Digest digest_of(std::string_view head, const Digest& key, std::string_view fields) {
  return sha256({head, as_text(key), fields});
}

Parsed read_fields(std::string_view fields, std::string_view key_text, const Digest& key) {
  Reader in(fields);
  auto binary = std::make_shared<Binary>();
  binary->key = hex(key);
  binary->key_text = key_text;
  binary->architecture = in.text();
  binary->compiler = in.text();
  const auto kernels = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < kernels && in.ok(); ++i) binary->kernels.push_back(read_kernel(in));
  binary->image = in.text();
  if (!in.at_end()) return {nullptr, "fields do not fill it"};
  return {std::move(binary), {}};
}

}  // namespace

std::string entry_bytes(const Binary& binary) {
  const std::string fields = fields_of(binary);
  Writer out;
  out.raw(kMagic);
  out.number<std::uint64_t>(sizeof(std::uint64_t) + binary.key_text.size() + fields.size());
  const std::string head = out.take();
  out.raw(head);
  out.text(binary.key_text);
  out.raw(fields);
  std::string bytes = out.take();
  return bytes += as_text(digest_of(head, sha256(binary.key_text), fields));
}

Parsed parse_entry(std::string_view bytes, std::string_view key_text, const Digest& key) {
  if (bytes.size() < kHead + kDigest) return {nullptr, text("truncated to ", bytes.size(), " bytes")};
  if (!bytes.starts_with(kMagic)) return {nullptr, "not an entry of this format"};
  Reader whole(bytes.substr(kMagic.size(), bytes.size() - kDigest - kMagic.size()));
  Reader in(whole.text());
  if (!whole.at_end()) return {nullptr, text("length does not match its ", bytes.size(), " bytes")};
  if (in.text() != key_text) return {nullptr, "holds another key"};
  const std::string_view fields = in.rest();
  if (bytes.substr(bytes.size() - kDigest) != as_text(digest_of(bytes.substr(0, kHead), key, fields)))
    return {nullptr, "digest does not match"};
  return read_fields(fields, key_text, key);
}

Parsed parse_entry(std::string_view bytes) {
  Reader fields(bytes.substr(std::min(bytes.size(), kHead)));
  return parse_entry(bytes, fields.text());  // the key's text comes first
}

}  // namespace ropeline::jit
