"""kv_cast: keys and values to FP8 E4M3, written into rows of the KV cache in one pass."""

import torch


def kv_cast(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult=1, offset=0):
    """Writes E4M3(x / scale) of token t's heads to row `loc[t] * mult + offset` of both caches.

    k and v are [T, H, D] in bfloat16 or float16, the caches [N, H, D] in torch.float8_e4m3fn or, as its bits, in uint8;
    the stride of D is 1, the others are free. The scales are float32 tensors of one number, read on the device. loc is
    [T], int32 or int64; a token whose loc is negative, or whose row is not in the cache, is skipped. Results are
    rounded to nearest even and saturate at 448. On a GPU the first call for H, D and the dtypes of k and loc compiles;
    `prepare_kv_cast` does it beforehand.
    """
    for name, scale in (("k_scale", k_scale), ("v_scale", v_scale)):
        if not isinstance(scale, torch.Tensor):
            raise TypeError(f"{name}: {scale!r} must be a float32 tensor of one number, on the device of k")
    if torch.is_grad_enabled() and any(t.requires_grad for t in (k, v, k_scale, v_scale)):
        raise RuntimeError("kv_cast has no gradient; call it under no_grad, or with detached tensors")
    torch.ops.ropeline.kv_cast.default(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult, offset)


def prepare_kv_cast(heads, head_dim, device, *, dtype=torch.bfloat16, loc_dtype=torch.int64):
    """Makes kv_cast ready for k and v [T, heads, head_dim] of that dtype and locs of that one, with any strides: on a
    GPU, compiles the kernels or finds them in the cache. A call that is captured into a CUDA graph must find it ready.
    """
    x = torch.empty(0, heads, head_dim, dtype=dtype, device=device)
    caches = (torch.empty_like(x, dtype=torch.float8_e4m3fn) for _ in range(2))
    scale = torch.empty((), dtype=torch.float32, device=device)
    kv_cast(x, x, *caches, scale, scale, torch.empty(0, dtype=loc_dtype, device=device))


@torch.library.register_fake("ropeline::kv_cast")
def _(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult=1, offset=0):
    return None
