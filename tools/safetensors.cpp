#include "tools/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "ropeline/error.h"

namespace ropeline::tools {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Name {
  DType type;
  const char* text;
};

constexpr Name kNames[] = {{DType::fp32, "F32"},         {DType::fp16, "F16"}, {DType::bf16, "BF16"},
                           {DType::fp8_e4m3, "F8_E4M3"}, {DType::int8, "I8"},  {DType::int32, "I32"},
                           {DType::int64, "I64"}};

std::optional<DType> dtype_of(const std::string& text) {
  for (const Name& name : kNames)
    if (name.text == text) return name.type;
  return std::nullopt;
}

const char* text_of(DType type) {
  return std::find_if(std::begin(kNames), std::end(kNames), [&](const Name& n) { return n.type == type; })->text;
}

[[noreturn]] void malformed(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::invalid_argument, fmt::format("{}: not a safetensors file: {}", path.string(), what));
}

[[noreturn]] void system_error(ErrorKind kind, const fs::path& path, const char* what) {
  throw Error(kind, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

struct Mapping {
  std::shared_ptr<std::byte> bytes;
  std::size_t size;
};

Mapping map_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) system_error(ErrorKind::invalid_argument, path, "cannot open");
  struct stat facts = {};
  ::fstat(file, &facts);
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (!S_ISREG(facts.st_mode) || size < 8) {
    ::close(file);
    malformed(path, S_ISREG(facts.st_mode) ? fmt::format("{} bytes, fewer than the 8 of its length field", size)
                                           : "not a regular file");
  }
  void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  ::close(file);
  if (base == MAP_FAILED) system_error(ErrorKind::unavailable, path, "cannot map");
  return {{static_cast<std::byte*>(base), [size](std::byte* p) { ::munmap(p, size); }}, size};
}

std::uint64_t little_endian(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

// Elements of a shape, or nothing for a negative extent or a product beyond 2^48, which no file holds.
std::optional<std::size_t> elements_of(const std::vector<std::int64_t>& shape) {
  std::size_t n = 1;
  for (std::int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && n > (std::size_t{1} << 48) / static_cast<std::size_t>(extent)))
      return std::nullopt;
    n *= static_cast<std::size_t>(extent);
  }
  return n;
}

// Calls row(pointer) for each run of elements along the last axis, in row-major order.
template <class Row>
void for_each_element(const TensorView& view, int axis, const char* base, const Row& row) {
  if (axis == view.rank) return row(base);
  const std::int64_t bytes = view.strides[axis] * static_cast<std::int64_t>(size_of(view.dtype));
  for (std::int64_t i = 0; i < view.shape[axis]; ++i) for_each_element(view, axis + 1, base + i * bytes, row);
}

void write_tensor(std::ofstream& out, const TensorView& view) {
  const std::size_t size = size_of(view.dtype);
  for_each_element(view, 0, static_cast<const char*>(view.data),
                   [&](const char* element) { out.write(element, static_cast<std::streamsize>(size)); });
}

// Large elements first, so that each lies at a multiple of its size.
std::vector<std::pair<std::string, TensorView>> in_file_order(const NamedTensors& tensors) {
  std::vector<std::pair<std::string, TensorView>> ordered(tensors.begin(), tensors.end());
  std::ranges::stable_sort(ordered, std::greater(), [](const auto& tensor) { return size_of(tensor.second.dtype); });
  return ordered;
}

std::string header_of(const std::vector<std::pair<std::string, TensorView>>& tensors, const Metadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t begin = 0;
  for (const auto& [name, view] : tensors) {
    if (!view || view.device.kind != Device::Kind::cpu)
      throw Error(ErrorKind::invalid_argument, fmt::format("{}: only tensors in CPU memory can be written", name));
    const std::size_t end = begin + static_cast<std::size_t>(view.elements()) * size_of(view.dtype);
    header[name] = {{"dtype", text_of(view.dtype)},
                    {"shape", std::vector<std::int64_t>(view.shape.begin(), view.shape.begin() + view.rank)},
                    {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the format allows spaces; data then starts at a multiple of 8
  return text;
}

}  // namespace

SafeTensors SafeTensors::read(const fs::path& path) {
  Mapping mapping = map_file(path);
  const std::uint64_t length = little_endian(mapping.bytes.get());
  if (length > mapping.size - 8)
    malformed(path, fmt::format("its header of {} bytes exceeds the file of {}", length, mapping.size));
  SafeTensors file;
  file.path_ = path;
  file.file_ = mapping.bytes;
  file.payload_ = 8 + length;
  file.payload_bytes_ = mapping.size - file.payload_;
  const char* text = reinterpret_cast<const char*>(mapping.bytes.get()) + 8;
  try {
    const json header = json::parse(text, text + length);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        file.metadata_ = entry.get<Metadata>();
        continue;
      }
      const auto offsets = entry.at("data_offsets").get<std::array<std::size_t, 2>>();
      file.add(name, entry.at("dtype"), entry.at("shape").get<std::vector<std::int64_t>>(), offsets[0], offsets[1]);
    }
  } catch (const json::exception& error) {
    malformed(path, error.what());
  }
  return file;
}

void SafeTensors::add(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape,
                      std::size_t begin, std::size_t end) {
  if (begin > end || end > payload_bytes_)
    malformed(path_, fmt::format("{}: bytes {} to {} lie outside the {} of data", name, begin, end, payload_bytes_));
  const std::optional<DType> type = dtype_of(dtype);
  if (!type || shape.size() > TensorView::max_rank) {
    unreadable_[name] = type ? fmt::format("rank {} exceeds {}", shape.size(), TensorView::max_rank)
                             : fmt::format("dtype {} has no counterpart here", dtype);
    return;
  }
  const std::optional<std::size_t> elements = elements_of(shape);
  if (!elements || *elements * size_of(*type) != end - begin)
    malformed(path_, fmt::format("{}: shape [{}] of {} does not take {} bytes", name, fmt::join(shape, ", "), dtype,
                                 end - begin));
  if ((payload_ + begin) % size_of(*type) != 0) {
    unreadable_[name] = fmt::format("its data at byte {} is not aligned to {}", payload_ + begin, dtype);
    return;
  }
  TensorView view(file_.get() + payload_ + begin, *type, {});
  view.rank = static_cast<int>(shape.size());
  std::int64_t stride = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    view.shape[i] = shape[i];
    view.strides[i] = stride;
    stride *= shape[i];
  }
  tensors_[name] = view;
}

const TensorView& SafeTensors::at(const std::string& name) const {
  if (const auto it = tensors_.find(name); it != tensors_.end()) return it->second;
  const auto it = unreadable_.find(name);
  throw Error(ErrorKind::invalid_argument, it != unreadable_.end()
                                               ? fmt::format("{}: {}: {}", path_.string(), name, it->second)
                                               : fmt::format("{}: no tensor named {}", path_.string(), name));
}

void write_safetensors(const fs::path& path, const NamedTensors& tensors, const Metadata& metadata) {
  const auto ordered = in_file_order(tensors);
  const std::string header = header_of(ordered, metadata);
  std::ofstream out(path, std::ios::binary);
  if (!out) system_error(ErrorKind::invalid_argument, path, "cannot write");
  for (int i = 0; i < 8; ++i) out.put(static_cast<char>(header.size() >> (8 * i) & 0xff));
  out << header;
  for (const auto& [name, view] : ordered) write_tensor(out, view);
  if (!out.flush()) system_error(ErrorKind::unavailable, path, "cannot write");
}

}  // namespace ropeline::tools
