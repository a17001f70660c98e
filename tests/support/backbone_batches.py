"""What the backbone of a model is given to do."""

from __future__ import annotations

from typing import Any

from stdpose_mm.inference.window_model import WindowModel


class BackboneBatches:
    """Note the sizes of the batches that the backbone sees in a ``with`` block."""

    def __init__(self, model: WindowModel) -> None:
        self._model = model
        self._batches: list[int] = []

    def __enter__(self) -> list[int]:
        def note(_module: Any, inputs: tuple[Any, ...], _output: Any) -> None:
            self._batches.append(len(inputs[0]))

        self._hook = self._model.model.backbone.register_forward_hook(note)
        return self._batches

    def __exit__(self, *_: object) -> None:
        self._hook.remove()
