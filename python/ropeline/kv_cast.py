"""kv_cast: keys and values to FP8 E4M3, written into rows of the KV cache in one pass."""

import torch


def kv_cast(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult=1, offset=0):
    """Writes E4M3(x / scale) of token t's heads to row `loc[t] * mult + offset` of both caches.

    k and v are [T, H, D] in bfloat16 or float16, the caches [N, H, D] in torch.float8_e4m3fn; the stride of D is 1, the
    others are free. The scales are float32 tensors of one number, read on the device. loc is [T], int32 or int64; a
    token whose loc is negative, or whose row is not in the cache, is skipped. Results are rounded to nearest even and
    saturate at 448. The first call for tensors of one kind (heads, D, dtypes, alignment) on a GPU compiles.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (k, v, k_scale, v_scale)):
        raise RuntimeError("kv_cast has no gradient; call it under no_grad, or with detached tensors")
    torch.ops.ropeline.kv_cast.default(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult, offset)


@torch.library.register_fake("ropeline::kv_cast")
def _(k, v, k_cache, v_cache, k_scale, v_scale, loc, mult=1, offset=0):
    return None
