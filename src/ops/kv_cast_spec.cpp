// What a spec must be, and its printed form.

#include "error.h"
#include "ops/kv_cast.h"

namespace ropeline {
namespace {

constexpr int kMostHeads = 8192;  // beyond any model, and within the grid of a launch

// The fields that differ from their defaults.
class Fields {
 public:
  template <class T, class Text>
  Fields& operator()(const char* name, const T& value, const T& standard, const Text& printed) {
    if (value != standard) out_ += text(out_.empty() ? "" : ",", '"', name, "\":", printed);
    return *this;
  }
  std::string braces() const { return text("{", out_, "}"); }

 private:
  std::string out_;
};

std::string quoted(DType type) { return text('"', name_of(type), '"'); }

}  // namespace

std::string KvCastSpec::json() const {
  const KvCastSpec d;
  return Fields()("heads", heads, d.heads, heads)("head_dim", head_dim, d.head_dim, head_dim)(
             "input", input, d.input, quoted(input))("loc", loc, d.loc, quoted(loc))("alignment", alignment,
                                                                                     d.alignment, alignment)
      .braces();
}

void ops::kv_cast::check(const KvCastSpec& spec) {
  require(spec.heads >= 1 && spec.heads <= kMostHeads, "heads: ", spec.heads, " is not from 1 to ", kMostHeads);
  require(spec.head_dim >= 16 && spec.head_dim <= 512 && spec.head_dim % 8 == 0, "head_dim: ", spec.head_dim,
          " must be a multiple of 8 from 16 to 512");
  require(spec.input == DType::bf16 || spec.input == DType::fp16, "input: ", name_of(spec.input),
          " must be bf16 or fp16");
  require(spec.loc == DType::int32 || spec.loc == DType::int64, "loc: ", name_of(spec.loc), " must be int32 or int64");
  const int a = spec.alignment;
  require(a == 2 || a == 4 || a == 8 || a == 16, "alignment: ", a, " must be 2, 4, 8 or 16");
}

}  // namespace ropeline
