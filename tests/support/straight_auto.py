"""The method 'auto' without its networks, for tests of what is done beside it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from stdpose_mm.labelling.propagation import require_method
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator


class StraightAuto(LinearPropagator):
    """Straight lines between labels; takes the arguments of 'auto', and does without them."""

    uses_fuser = True

    def __init__(self, **arguments: object) -> None:
        super().__init__()


def use_straight_auto(change: Callable[[object, str, object], None] = setattr) -> None:
    """Let 'auto' be :class:`StraightAuto` in this process.

    Args:
        change: Sets an attribute; pytest's ``monkeypatch.setattr`` also takes it back.
    """

    def require(method: str) -> type:
        return StraightAuto if method == 'auto' else require_method(method)

    # The package has a function of the same name.
    module = import_module('stdpose_mm.labelling.propagation.load_propagator')
    change(module, 'require_method', require)
