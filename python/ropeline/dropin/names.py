"""Names of other libraries' torch ops, for callers that look an op up by its name."""

import torch

_OURS = {}  # by name, the torch.library.Library that holds it: its end would take the op away


def register(functions, devices=("CPU", "CUDA")):
    """Defines a torch op unless somebody has. Returns whether the op of that name is ours.

    functions: what runs, by schema, `namespace::name.overload(arguments) -> ()`; overloads of one name. A library that
    defines the same name afterwards fails to load: load it first.
    """
    namespace, _, name = next(iter(functions)).partition("(")[0].partition("::")
    if (namespace, name) in _OURS:
        return True
    if hasattr(getattr(torch.ops, namespace), name):
        return False
    library = torch.library.Library(namespace, "FRAGMENT")
    for schema, function in functions.items():
        library.define(schema.removeprefix(f"{namespace}::"))
        overload = schema.partition("(")[0]
        for device in devices:
            library.impl(overload, function, device)
        torch.library.register_fake(overload, lambda *_, **__: None, lib=library)
    _OURS[namespace, name] = library
    return True
