#include "conformance/call.h"

namespace ropeline::conformance {

std::vector<TensorView*> views(Args& a) {
  return {&a.q,        &a.k,        &a.v,        &a.q_out,     &a.k_out,         &a.v_out,
          &a.q_weight, &a.k_weight, &a.v_weight, &a.q_bias,    &a.k_bias,        &a.v_bias,
          &a.q_scale,  &a.k_scale,  &a.v_scale,  &a.positions, &a.cos_sin_cache, &a.cos,
          &a.sin};
}

Call::Call(const Call& other) : spec(other.spec), memory(other.memory), args(other.args), origin(other.origin) {
  for (TensorView* view : views(args)) view->data = memory.translate(other.memory, view->data);
}

std::vector<Written> written(const Call& call) {
  const Args& a = call.args;
  std::vector<Written> all;
  if (call.spec.q.heads) all.push_back({"q", a.q_out ? a.q_out : a.q});
  if (call.spec.k.heads) all.push_back({"k", a.k_out ? a.k_out : a.k});
  if (call.spec.v.heads) all.push_back({"v", a.v_out ? a.v_out : a.v});
  return all;
}

}  // namespace ropeline::conformance
