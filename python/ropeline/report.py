"""What became of the attention layers of a model."""

from typing import NamedTuple


class Layer(NamedTuple):
    """What became of one attention layer."""

    name: str
    kind: str
    switched: bool
    reason: str

    def __str__(self):
        what = "switched" if self.switched else "left alone"
        return f"{self.name} ({self.kind}): {what}{self.reason and ', '}{self.reason}"


class LeftAlone(Exception):
    """Why a layer is not switched."""


class Report(tuple):
    """One Layer for each attention layer of the model, in its order."""

    @property
    def switched(self):
        return [layer for layer in self if layer.switched]

    @property
    def left_alone(self):
        return [layer for layer in self if not layer.switched]

    @property
    def summary(self):
        return f"{len(self.switched)} of {len(self)} attention layers run on Ropeline"

    def __str__(self):
        return "\n".join([self.summary, *(f"  {layer}" for layer in self.left_alone)])

    def grouped(self):
        """The summary, then one line for all layers of a class that are left alone for one reason: for a log."""
        groups = {}
        for layer in self.left_alone:
            groups.setdefault((layer.kind, layer.reason), []).append(layer.name)
        lines = (
            f"  {len(names)} {kind} left alone ({names[0]}{', ...' if names[1:] else ''}): {reason}"
            for (kind, reason), names in groups.items()
        )
        return "\n".join([self.summary, *lines])
