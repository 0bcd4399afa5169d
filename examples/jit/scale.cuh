// y = factor * x, Width neighbouring elements a thread.
template <class T, int Width>
__global__ void scale(T* y, const T* x, T factor, int n) {
  const int first = (blockIdx.x * blockDim.x + threadIdx.x) * Width;
#pragma unroll
  for (int i = first; i < first + Width; ++i)
    if (i < n) y[i] = factor * x[i];
}
