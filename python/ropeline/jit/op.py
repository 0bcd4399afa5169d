"""A torch op of a function that launches kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable

import torch

_libraries: list[torch.library.Library] = []  # an op lives as long as the one that defined it


def _tensors(values: Iterable[Any]) -> Iterable[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _refuse_grad(name: str, values: Iterable[Any]) -> None:
    if torch.is_grad_enabled() and any(t.requires_grad for t in _tensors(values)):
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
    (register_autograd, opcheck). A call costs two microseconds, a tenth of torch.library.custom_op's; in exchange, a
    result must not be one of the arguments, and nothing checks that.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        namespace, _, own = name.partition("::")
        signature = schema or torch.library.infer_schema(function, mutates_args=mutates_args)
        library = torch.library.Library(namespace, "FRAGMENT")
        library.define(own + signature, tags=(torch.Tag.pt2_compliant_tag,))
        op = getattr(getattr(torch.ops, namespace), own).default
        places = {a.name: i for i, a in enumerate(op._schema.arguments) if a.alias_info and a.alias_info.is_write}

        def run(*args: Any, **kwargs: Any) -> Any:
            _refuse_grad(name, (*args, *kwargs.values()))
            result = function(*args, **kwargs)
            for argument, place in places.items():  # what an op of torch counts when it writes a tensor
                for tensor in _tensors((args[place] if place < len(args) else kwargs.get(argument),)):
                    if not tensor.is_inference():
                        torch.autograd.graph.increment_version(tensor)
            return result

        def fake_run(*args: Any, **kwargs: Any) -> Any:
            _refuse_grad(name, (*args, *kwargs.values()))
            return fake(*args, **kwargs) if fake else None

        library.impl(own, run, "CompositeExplicitAutograd")
        torch.library.register_fake(name, fake_run, lib=library)
        _libraries.append(library)
        return op

    return define
