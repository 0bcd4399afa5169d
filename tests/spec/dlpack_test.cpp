// Views from and to DLPack. The struct is laid out and named as in dlpack.h, of which Ropeline needs no copy.

#include "ropeline/dlpack.h"

#include <gtest/gtest.h>

#include <vector>

#include "ropeline/plan.h"

namespace ropeline {
namespace {

struct DLTensor {
  enum DeviceType { kDLCPU = 1, kDLCUDA = 2, kDLMetal = 8 };
  void* data;
  struct {
    DeviceType device_type;
    std::int32_t device_id;
  } device;
  std::int32_t ndim;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};

struct Sample {
  std::vector<float> memory = std::vector<float>(64, 1);
  std::int64_t shape[3] = {2, 3, 4}, strides[3] = {24, 8, 1};
  DLTensor tensor{memory.data(), {DLTensor::kDLCPU, 0}, 3, {2, 32, 1}, shape, strides, 8};
};

std::string refusal(const DLTensor& tensor) try {
  from_dlpack(tensor);
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  return error.what();
}

TEST(Dlpack, GivesTheSameMemoryShapeAndStrides) {
  Sample sample;
  const TensorView view = from_dlpack(sample.tensor);
  EXPECT_EQ(view.data, sample.memory.data() + 2) << "byte_offset";
  EXPECT_EQ(view.dtype, DType::fp32);
  EXPECT_EQ(view.device, Device::cpu());
  EXPECT_EQ(view.rank, 3);
  EXPECT_EQ(view.shape, (std::array<std::int64_t, 4>{2, 3, 4, 0}));
  EXPECT_EQ(view.strides, (std::array<std::int64_t, 4>{24, 8, 1, 0}));
}

TEST(Dlpack, NoStridesMeansRowMajor) {
  Sample sample;
  sample.tensor.strides = nullptr;
  EXPECT_EQ(from_dlpack(sample.tensor).strides, (std::array<std::int64_t, 4>{12, 4, 1, 0}));
}

TEST(Dlpack, KnowsTheNumberOfADevice) {
  Sample sample;
  sample.tensor.device = {DLTensor::kDLCUDA, 3};
  EXPECT_EQ(from_dlpack(sample.tensor).device, Device::cuda(3));
}

TEST(Dlpack, EveryDtypeSurvivesThereAndBack) {
  for (const DType type :
       {DType::fp32, DType::fp16, DType::bf16, DType::fp8_e4m3, DType::int8, DType::int32, DType::int64}) {
    TensorView view(nullptr, type, {5, 6}, {7, 1}, Device::cuda(1));
    const auto tensor = to_dlpack<DLTensor>(view);
    EXPECT_EQ(tensor.dtype.bits, 8 * size_of(type));
    EXPECT_EQ(tensor.shape, view.shape.data()) << "points into the view";
    const TensorView back = from_dlpack(tensor);
    EXPECT_EQ(back.dtype, type);
    EXPECT_EQ(back.device, view.device);
    EXPECT_EQ(back.rank, 2);
    EXPECT_EQ(back.shape, view.shape);
    EXPECT_EQ(back.strides, view.strides);
  }
}

TEST(Dlpack, RefusesWhatHasNoCounterpart) {
  Sample sample;
  DLTensor bad = sample.tensor;
  bad.ndim = 5;
  EXPECT_EQ(refusal(bad), "dlpack: rank 5 is not 0 to 4");
  bad = sample.tensor, bad.dtype = {2, 64, 1};
  EXPECT_EQ(refusal(bad), "dlpack: dtype code 2, 64 bits, 1 lanes has no counterpart here");
  bad = sample.tensor, bad.dtype.lanes = 2;
  EXPECT_EQ(refusal(bad), "dlpack: dtype code 2, 32 bits, 2 lanes has no counterpart here");
  bad = sample.tensor, bad.device.device_type = DLTensor::kDLMetal;
  EXPECT_EQ(refusal(bad), "dlpack: device type 8 is neither CPU nor CUDA");
}

TEST(Dlpack, APlanRunsOnIt) {
  std::vector<float> q(2 * 16, 3.0f);
  std::int64_t shape[3] = {2, 1, 16};
  const DLTensor tensor{q.data(), {DLTensor::kDLCPU, 0}, 3, {2, 32, 1}, shape, nullptr, 0};
  Spec spec;
  spec.head_dim = 16, spec.activation = spec.weight = DType::fp32;
  spec.q = {1, {RmsNorm{.eps = 1e-30f, .weight = WeightShape::none}}, {}};
  prepare(spec, Device::cpu()).run({.q = from_dlpack(tensor)});
  EXPECT_EQ(q, std::vector<float>(2 * 16, 1.0f));
}

}  // namespace
}  // namespace ropeline
