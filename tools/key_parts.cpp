#include "tools/key_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace ropeline::tools {
namespace {

constexpr std::size_t kContext = 24, kWidest = 60;

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool empty() const { return rest_.empty(); }
  std::string_view line() {
    const std::string_view line = take(std::min(rest_.find('\n'), rest_.size()));
    take(std::min<std::size_t>(1, rest_.size()));
    return line;
  }
  std::string_view take(std::size_t size) {
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(part.size());
    return part;
  }

 private:
  std::string_view rest_;
};

std::size_t number(std::string_view digits) {
  std::size_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

std::string_view after(std::string_view line, std::string_view word) { return line.substr(word.size()); }

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// The part of a that is not in b, with a little of what is around it.
std::string changed(std::string_view a, std::string_view b) {
  const std::size_t before = common_prefix(a, b);
  std::size_t behind = 0;
  const std::size_t most = std::min(a.size(), b.size()) - before;
  while (behind < most && a[a.size() - 1 - behind] == b[b.size() - 1 - behind]) ++behind;
  const std::size_t from = before > kContext ? before - kContext : 0;
  const std::size_t to = std::min(a.size(), a.size() - behind + kContext);
  const bool cut = to - from > kWidest + 2 * kContext;
  return fmt::format("{}{}{}", from ? "..." : "", a.substr(from, cut ? kWidest + kContext : to - from),
                     cut || to < a.size() ? "..." : "");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (Lines rest(text); !rest.empty();) lines.emplace_back(rest.line());
  return lines;
}

using Texts = std::vector<std::string>;

void differ_in_flags(Texts& out, const Texts& a, const std::string& theirs, const Texts& b, const std::string& ours) {
  const std::set<std::string> in_a(a.begin(), a.end()), in_b(b.begin(), b.end());
  for (const std::string& flag : in_a)
    if (!in_b.contains(flag)) out.push_back(fmt::format("{} only: {}", theirs, flag));
  for (const std::string& flag : in_b)
    if (!in_a.contains(flag)) out.push_back(fmt::format("{} only: {}", ours, flag));
}

// The first kernel that differs speaks for all.
void differ_in_kernels(Texts& out, const Texts& a, const std::string& theirs, const Texts& b, const std::string& ours) {
  if (a.size() != b.size()) out.push_back(fmt::format("{}: {} kernels, {}: {}", theirs, a.size(), ours, b.size()));
  std::size_t first = 0, count = 0;
  for (std::size_t i = std::min(a.size(), b.size()); i-- > 0;)
    if (a[i] != b[i]) first = i, ++count;
  if (count == 0) return;
  out.push_back(fmt::format("{} of {} kernels; the first of them", count, a.size()));
  out.push_back(fmt::format("  {}: {}", theirs, changed(a[first], b[first])));
  out.push_back(fmt::format("  {}: {}", ours, changed(b[first], a[first])));
}

void differ_in_file(Texts& out, const std::string& name, const std::string& a, const std::string& theirs,
                    const std::string& b, const std::string& ours) {
  const Texts x = lines_of(a), y = lines_of(b);
  const auto line = static_cast<std::size_t>(std::ranges::mismatch(x, y).in1 - x.begin());
  out.push_back(fmt::format("{} from line {} on", name, line + 1));
  const auto shown = [&](const Texts& from, const Texts& to) {
    const std::string end = "(its end)";
    return line < from.size() ? changed(from[line], line < to.size() ? to[line] : "") : end;
  };
  out.push_back(fmt::format("  {}: {}", theirs, shown(x, y)));
  out.push_back(fmt::format("  {}: {}", ours, shown(y, x)));
}

const std::string* find(const KeyParts& parts, const std::string& name) {
  const auto at = std::ranges::find(parts.files, name, &std::pair<std::string, std::string>::first);
  return at == parts.files.end() ? nullptr : &at->second;
}

}  // namespace

KeyParts key_parts(std::string_view text) {
  KeyParts parts;
  for (Lines rest(text); !rest.empty();) {
    const std::string_view line = rest.line();
    if (line.starts_with("kernel ")) {
      const std::string_view sized = after(line, "kernel ");
      parts.kernels.emplace_back(sized.substr(std::min(sized.size(), sized.find(' ') + 1)));
    } else if (line.starts_with("file ")) {
      const std::size_t space = line.rfind(' ');
      std::string name(line.substr(5, space - std::min<std::size_t>(space, 5)));
      parts.files.emplace_back(std::move(name), rest.take(number(line.substr(space + 1))));
      rest.take(1);
    } else {
      parts.flags.emplace_back(line);
    }
  }
  return parts;
}

std::vector<std::string> difference(const KeyParts& a, const std::string& theirs, const KeyParts& b,
                                    const std::string& ours) {
  Texts out;
  differ_in_flags(out, a.flags, theirs, b.flags, ours);
  differ_in_kernels(out, a.kernels, theirs, b.kernels, ours);
  for (const auto& [name, content] : a.files) {
    const std::string* other = find(b, name);
    if (!other) out.push_back(fmt::format("{} only: file {}", theirs, name));
    if (other && *other != content) differ_in_file(out, name, content, theirs, *other, ours);
  }
  for (const auto& [name, content] : b.files)
    if (!find(a, name)) out.push_back(fmt::format("{} only: file {}", ours, name));
  return out;
}

std::size_t distance(const KeyParts& a, const KeyParts& b) {
  std::size_t n = difference(a, "", b, "").size();
  for (std::size_t i = 0; i < std::min(a.kernels.size(), b.kernels.size()); ++i)
    n += std::max(a.kernels[i].size(), b.kernels[i].size()) - common_prefix(a.kernels[i], b.kernels[i]) > 0;
  return n + (a.program() != b.program() ? 1000 : 0);
}

}  // namespace ropeline::tools
