"""The memo for functions that load kernels."""

from __future__ import annotations

import functools
import os
import threading
from concurrent.futures import Future
from typing import Any, Callable, TypeVar

from . import _torch

Result = TypeVar("Result")

# Held for moments only, and over fork(), so that a child never finds it taken by a thread that it does not have. A
# finalizer or a signal's handler that runs inside may ask for a result of its own.
_lock = threading.RLock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class _Flight:
    """A result that is being made, and who makes it."""

    def __init__(self) -> None:
        self.result: Future[Any] = Future()
        self.process, self.thread = os.getpid(), threading.get_ident()


def _exactly(value: Any) -> Any:
    """A key that tells values apart which == does not: by type, also within a tuple, and 0.0 from -0.0."""
    kind = type(value)
    if kind is float:
        return kind, value.hex()
    if kind is complex:
        return kind, repr(value)
    if isinstance(value, tuple):
        return kind, tuple(map(_exactly, value))
    if isinstance(value, frozenset):
        return kind, frozenset(map(_exactly, value))
    return kind, value


def cache_once(function: Callable[..., Result]) -> Callable[..., Result]:
    """Remembers what a function returns: called once for each arguments and device, whatever the number of threads.

        @jit.cache_once
        def scale(width: int) -> jit.Kernel:
            return jit.load("scale.cuh", kernels=[f"scale<float, {width}>"]).kernel()

    Arguments are hashable, and told apart by type, too: 1, 1.0 and True are three, also within a tuple or frozenset. An
    object of a class of one's own is the same argument as what it is equal to. A failure reaches all who waited for
    it and is not kept: the next call tries again. Dynamo does not trace into it: in compiled code that is no op of its
    own, a call is a break of the graph, while functools.lru_cache would be traced through.
    """
    made: dict[Any, Result] = {}
    flights: dict[Any, _Flight] = {}

    def board(key: Any) -> tuple[_Flight, bool]:
        """The flight of a key, and whether the caller is to make the result."""
        new = _Flight()
        with _lock:
            flight = flights.get(key)
            if flight and flight.process == new.process:  # else it belongs to a thread that a fork has left behind
                return flight, False
            flights[key] = new
            return new, True

    def make(key: Any, flight: _Flight, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
        try:
            result = made.get(key, made)
            if result is made:  # nobody else has finished it since we looked
                result = made[key] = function(*args, **kwargs)
        except BaseException as error:
            flights.pop(key)
            flight.result.set_exception(error)
            raise
        flights.pop(key)
        flight.result.set_result(result)
        return result  # type: ignore[return-value]

    @functools.wraps(function)
    def once(*args: Any, **kwargs: Any) -> Result:
        key = _torch.current_device(), *map(_exactly, args)
        if kwargs:
            key += (tuple((name, _exactly(value)) for name, value in sorted(kwargs.items())),)
        try:
            return made[key]
        except KeyError:
            pass
        flight, ours = board(key)
        if ours:
            return make(key, flight, args, kwargs)
        if flight.thread == threading.get_ident() and not flight.result.done():
            raise RuntimeError(f"{function.__qualname__}: asks for its own result while making it")
        return flight.result.result()  # type: ignore[no-any-return]

    return _torch.untraced(once)
