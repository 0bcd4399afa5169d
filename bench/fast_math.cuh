// The engines' fused norm and rope, retyped from its formula for bench/fast_math.py: a warp for each head of 128
// elements, four neighbours a lane; NeoX partners by a shuffle; for each element a frequency by powf, an angle as
// position * frequency in fp32, and sincosf of it. What these are is up to the flags: with --use_fast_math powf, sincosf
// and the division are the hardware's approximations.

__device__ float widen(unsigned short x) { return __int_as_float(static_cast<int>(x) << 16); }

__device__ unsigned short narrow(float x) {
  const int u = __float_as_int(x);
  return static_cast<unsigned short>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

// The angle of an element of the head.
__device__ void turn(int element, int position, float base, float& sin, float& cos) {
  const float frequency = powf(base, -2.0f * static_cast<float>(element % 64) / 128.0f);
  sincosf(static_cast<float>(position) * frequency, &sin, &cos);
}

// qkv [tokens, q_heads + k_heads + v_heads, 128] in place, bf16; as many warps as there are q and k heads, eight a block.
__global__ void retyped(unsigned short* qkv, const unsigned short* q_weight, const unsigned short* k_weight,
                        const int* positions, int tokens, int q_heads, int k_heads, int v_heads, float base, float eps) {
  const int warp = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32), lane = threadIdx.x % 32;
  const int token = warp / (q_heads + k_heads), head = warp % (q_heads + k_heads);
  if (token >= tokens) return;
  const long long row = static_cast<long long>(token) * (q_heads + k_heads + v_heads) + head;
  ushort4* at = reinterpret_cast<ushort4*>(qkv) + row * 32 + lane;
  const ushort4 in = *at, weight = reinterpret_cast<const ushort4*>(head < q_heads ? q_weight : k_weight)[lane];
  float x[4] = {widen(in.x), widen(in.y), widen(in.z), widen(in.w)};
  const float w[4] = {widen(weight.x), widen(weight.y), widen(weight.z), widen(weight.w)};
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += x[i] * x[i];
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffff, sum, distance);
  const float inverse = rsqrtf(sum / 128.0f + eps);
  for (int i = 0; i < 4; ++i) x[i] *= inverse * w[i];
  for (int i = 0; i < 4; ++i) {
    const float partner = __shfl_xor_sync(0xffffffff, x[i], 16);
    float sin, cos;
    turn(lane * 4 + i, positions[token], base, sin, cos);
    x[i] = x[i] * cos + (lane < 16 ? -partner : partner) * sin;
  }
  *at = make_ushort4(narrow(x[0]), narrow(x[1]), narrow(x[2]), narrow(x[3]));
}

// cos and sin [64] of a position.
__global__ void angles(float* cos, float* sin, int position, float base) {
  turn(static_cast<int>(threadIdx.x), position, base, sin[threadIdx.x], cos[threadIdx.x]);
}
