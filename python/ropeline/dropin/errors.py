"""Our errors as the originals raise theirs: a RuntimeError, in the names of the engine's arguments."""

import functools

# Of the calls on one packed qkv: our fields and tensors, and the arguments that they come from.
PACKED = {
    "activation": "qkv",
    "q": "qkv, its q heads",
    "k": "qkv, its k heads",
    "q.heads": "num_heads_q",
    "k.heads": "num_heads_k",
    "weight": "q_weight",
    "positions": "position_ids",
    "table": "cos_sin_cache",
}
# Of those on q and k apart.
SEPARATE = {**PACKED, "activation": "q", "q": "q", "k": "k", "q.heads": "q", "k.heads": "k"}


def in_words_of(names):
    """A decorator: ValueErrors, whose sentences start with a field as in `positions: shape [3] must be [4]`, become
    RuntimeErrors that start with the name of it."""

    def decorate(function):
        @functools.wraps(function)
        def call(*arguments, **named):
            try:
                return function(*arguments, **named)
            except ValueError as error:
                field, colon, rest = str(error).partition(":")
                raise RuntimeError(names.get(field, field) + colon + rest) from None

        return call

    return decorate


def dtypes_of(**tensors):
    """The dtypes of arguments. TypeError that names one which is no tensor."""
    try:
        return tuple([tensor.dtype for tensor in tensors.values()])
    except AttributeError:
        name, other = next((name, t) for name, t in tensors.items() if not hasattr(t, "dtype"))
        raise TypeError(f"{name}: {other!r} must be a tensor") from None
