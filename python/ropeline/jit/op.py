"""A torch op of a function that launches kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable

import torch

_libraries: list[torch.library.Library] = []  # an op lives as long as the one that defined it


class _Places:
    """Where an op's tensors are among the arguments of a call."""

    def __init__(self, arguments: Iterable[Any]) -> None:
        self._places = [(place, argument.name) for place, argument in arguments]

    def tensors(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []
        for place, name in self._places:
            value = args[place] if place < len(args) else kwargs.get(name)
            if isinstance(value, torch.Tensor):
                found.append(value)
            elif value is not None:  # a list of them
                found.extend(one for one in value if one is not None)
        return found


def _refuse_grad(name: str, tensors: Iterable[torch.Tensor]) -> None:
    if any(tensor.requires_grad for tensor in tensors):
        raise RuntimeError(
            f"{name}: a tensor of the call requires a gradient, and the op has none; call it under torch.no_grad(), or "
            f'give it one: torch.library.register_autograd("{name}", ...)'
        )


def custom_op(
    name: str, *, mutates_args: Sequence[str], fake: Callable[..., Any] | None = None, schema: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function the torch op "namespace::name", which torch.compile(fullgraph=True) keeps as one node.

        @jit.custom_op("mine::scale", mutates_args=["y"])
        def scale(y: torch.Tensor, x: torch.Tensor, factor: float) -> None:
            scale_kernel(4).launch(...)

    mutates_args: the names of the tensors that it writes. fake: for an op that returns tensors, the function that
    makes empty ones of the same shapes; inside, the launches do not happen. schema: "(Tensor(a!) y, Tensor x) -> ()",
    when the annotations are not to be asked.

    It returns the op itself, torch.ops.namespace.name.default. What torch.library has for ops works on it by its name
    (register_autograd, opcheck). A call costs a quarter of torch.library.custom_op's (4 us instead of 18, beside the
    launch); in exchange, a result must not be one of the arguments, and nothing checks that.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        namespace, _, own = name.partition("::")
        signature = schema or torch.library.infer_schema(function, mutates_args=mutates_args)
        library = torch.library.Library(namespace, "FRAGMENT")
        library.define(own + signature, tags=(torch.Tag.pt2_compliant_tag,))
        op: torch._ops.OpOverload = getattr(getattr(torch.ops, namespace), own).default
        arguments = [(i, a) for i, a in enumerate(op._schema.arguments) if "Tensor" in str(a.type)]
        all_of = _Places(arguments)
        written = _Places((i, a) for i, a in arguments if a.alias_info and a.alias_info.is_write)

        def run(*args: Any, **kwargs: Any) -> Any:
            if torch.is_grad_enabled():
                _refuse_grad(name, all_of.tensors(args, kwargs))
            result = function(*args, **kwargs)
            torch.autograd.graph.increment_version(written.tensors(args, kwargs))  # as torch's own ops do
            return result

        def fake_run(*args: Any, **kwargs: Any) -> Any:
            if torch.is_grad_enabled():
                _refuse_grad(name, all_of.tensors(args, kwargs))
            return fake(*args, **kwargs) if fake else None

        library.impl(own, run, "CompositeExplicitAutograd")
        torch.library.register_fake(name, fake_run, lib=library)
        _libraries.append(library)
        return op

    return define
