#include "entry.h"

#include <algorithm>

#include "bytes.h"
#include "digest.h"
#include "error.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kMagic{"ropeline jit 01\n", 16};
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

std::string fields_of(const Binary& binary) {
  Writer out;
  out.text(binary.key_text);
  out.text(binary.architecture);
  out.text(binary.compiler);
  out.number<std::uint32_t>(static_cast<std::uint32_t>(binary.kernels.size()));
  for (const KernelFacts& kernel : binary.kernels) write(out, kernel);
  out.text(binary.image);
  return out.take();
}

Parsed read_fields(std::string_view fields, std::string_view key_text) {
  Reader in(fields);
  auto binary = std::make_shared<Binary>();
  binary->key_text = in.text();
  if (binary->key_text != key_text) return {nullptr, "holds another key"};
  binary->key = hex(sha256(key_text));
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
  Writer out;
  const std::string fields = fields_of(binary);
  out.raw(kMagic);
  out.text(fields);
  std::string bytes = out.take();
  return bytes += as_text(sha256(bytes));
}

Parsed parse_entry(std::string_view bytes, std::string_view key_text) {
  if (bytes.size() < kHead + kDigest) return {nullptr, text("truncated to ", bytes.size(), " bytes")};
  if (!bytes.starts_with(kMagic)) return {nullptr, "not an entry of this format"};
  const std::string_view signed_part = bytes.substr(0, bytes.size() - kDigest);
  Reader in(signed_part.substr(kMagic.size()));
  const std::string_view fields = in.text();
  if (!in.at_end()) return {nullptr, text("length does not match its ", bytes.size(), " bytes")};
  if (bytes.substr(signed_part.size()) != as_text(sha256(signed_part))) return {nullptr, "digest does not match"};
  return read_fields(fields, key_text);
}

Parsed parse_entry(std::string_view bytes) {
  Reader fields(bytes.substr(std::min(bytes.size(), kHead)));
  return parse_entry(bytes, fields.text());  // the key's text comes first
}

}  // namespace ropeline::jit
