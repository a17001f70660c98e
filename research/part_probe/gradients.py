"""Gradients of every loss of a window model at chosen parameters and tensors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from research.study.held_out_data import generators_from
from stdpose_mm.engine.seeding import derive_seed
from stdpose_mm.models.pose_estimators.window_pose_estimator import WindowPoseEstimator
from stdpose_mm.models.structures import (
    SpatioTemporalRepresentation,
    auxiliary_of,
    key_of,
)

from .model_parts import (
    GIVEN,
    HEATMAP_LOSS,
    PICTURES,
    PRIOR,
    GradientPlace,
    changed_output,
)

ALL_LOSSES = 'all losses'

SHARED = GradientPlace('parameters shared with the heatmap loss', (), is_parameters=True)
"""Parameters on which both a term and the heatmap loss depend."""

OWN = GradientPlace('parameters of its own', (), is_parameters=True)
"""Parameters on which a term depends, but not the heatmap loss."""

FIELDS = {name: GradientPlace(name, (name,)) for name in SpatioTemporalRepresentation._fields}

INPUT_FIELDS = {GIVEN: 'given_heatmaps', PRIOR: 'prior_heatmaps'}


class Gradients:
    """Gradients of a few training steps, as root mean squares over the batches.

    Args:
        places: Where to measure, besides :data:`FIELDS`, :data:`SHARED` and :data:`OWN`.
    """

    def __init__(self, places: Iterable[GradientPlace]) -> None:
        self.places = list(dict.fromkeys((*places, *FIELDS.values())))
        self._batches = 0
        self._losses: dict[str, float] = defaultdict(float)
        self._squares: dict[tuple[str, GradientPlace], float] = defaultdict(float)
        self._elements: dict[tuple[str, GradientPlace], int] = {}
        self._total = 0.0

    @property
    def losses(self) -> dict[str, float]:
        """Return loss -> mean over the batches."""
        return {name: value / self._batches for name, value in self._losses.items()}

    @property
    def total_norm(self) -> float:
        """Return the norm of the gradient of all losses at all parameters."""
        return math.sqrt(self._total / self._batches)

    def norm(self, loss: str, place: GradientPlace) -> float | None:
        """Return the norm of a loss's gradient at a place; ``None`` without a gradient there."""
        square = self._squares.get((loss, place))
        return None if square is None else math.sqrt(square / self._batches)

    def elements(self, loss: str, place: GradientPlace) -> int:
        """Return the number of a place's elements with a gradient of a loss."""
        return self._elements[loss, place]

    def shared_heatmap_norm(self, loss: str) -> float | None:
        """Return the norm of the heatmap loss's gradient at parameters shared with a term."""
        return self.norm(_heatmap_beside(loss), SHARED)

    def measure(
        self, model: WindowPoseEstimator, batches: Sequence[Mapping[str, Any]], seed: int
    ) -> None:
        """Add the gradients of one training step per batch, in float32."""
        for number, batch in enumerate(batches):
            with generators_from(derive_seed(seed, number)):
                self._measure(model, batch)

    def _measure(self, model: WindowPoseEstimator, batch: Mapping[str, Any]) -> None:
        wanted = {name for place in self.places for name in place.tensors}
        losses, tensors = recorded_losses(model, batch, wanted)
        parameters = {name for name in tensors if name in dict(model.named_parameters())}
        self._batches += 1
        heatmap: dict[str, list[Tensor]] = {}
        total: dict[str, list[Tensor]] = {}
        # The heatmap loss comes first, as the others are compared with it.
        for loss in sorted(losses, key=lambda name: name != HEATMAP_LOSS):
            self._losses[loss] += losses[loss].item()
            found = gradients_of(losses[loss], tensors)
            if loss == HEATMAP_LOSS:
                heatmap = found
            else:
                shared = parameters & set(found) & set(heatmap)
                self._add(loss, SHARED, _gather(found, shared))
                self._add(_heatmap_beside(loss), SHARED, _gather(heatmap, shared))
                self._add(loss, OWN, _gather(found, parameters & set(found) - shared))
            for place in self.places:
                self._add(loss, place, _select(place, found))
            total = _sum(total, found)
        for place in self.places:
            self._add(ALL_LOSSES, place, _select(place, total))
        self._total += _square(_gather(total, parameters & set(total)))

    def _add(self, loss: str, place: GradientPlace, gradients: Sequence[Tensor]) -> None:
        if gradients:
            self._squares[loss, place] += _square(gradients)
            self._elements[loss, place] = sum(gradient.numel() for gradient in gradients)


def recorded_losses(
    model: WindowPoseEstimator, batch: Mapping[str, Any], wanted: Iterable[str] = ()
) -> tuple[dict[str, Tensor], dict[str, list[Tensor]]]:
    """Compute the losses of a training step and record tensors on the way.

    Args:
        model: A window model; it is set to training mode, and its statistics change.
        batch: A batch from a loader.
        wanted: Names of modules whose outputs are recorded; unknown names are ignored.

    Returns:
        The losses, and the tensors: parameters, inputs, fields of the representation (as they reach
        the head and its losses, apart from their use within the neck) and outputs of modules.
    """
    model.train()
    data = model.data_preprocessor(batch, training=False)
    samples = data['data_samples']
    tensors: dict[str, list[Tensor]] = {
        name: [value] for name, value in model.named_parameters() if value.requires_grad
    }
    key = key_of(data['inputs'])[:, None]
    auxiliary = auxiliary_of(data['inputs']).requires_grad_()
    tensors[PICTURES] = [auxiliary]
    for name, field in INPUT_FIELDS.items():
        tensors[name] = []
        for sample in samples:
            if field in sample.gt_fields:
                maps = getattr(sample.gt_fields, field).detach().clone().requires_grad_()
                setattr(sample.gt_fields, field, maps)
                tensors[name].append(maps)

    def keep_fields(output: Any, _: Sequence[Any]) -> Any:
        fields = {
            name: value.view_as(value)
            for name, value in output._asdict().items()
            if isinstance(value, Tensor) and value.requires_grad
        }
        tensors.update({name: [value] for name, value in fields.items()})
        return output._replace(**fields)

    modules = dict(model.named_modules())
    with ExitStack() as stack:
        if model.with_neck:
            stack.enter_context(changed_output(model.neck, keep_fields))
        for name in set(wanted) & set(modules) - set(tensors):
            outputs = tensors.setdefault(name, [])

            def keep(output: Any, _: Sequence[Any], outputs: list[Tensor] = outputs) -> Any:
                outputs.append(output)
                return output

            stack.enter_context(changed_output(modules[name], keep))
        before, after = auxiliary.chunk(2, dim=1)
        inputs = torch.cat((before, key, after), dim=1)
        values = model.loss(inputs, samples)
    # As in MMEngine's parse_losses, values without 'loss' in their name are only logged.
    losses = {name: value.mean() for name, value in values.items() if 'loss' in name}
    return losses, {name: values for name, values in tensors.items() if values}


def gradients_of(loss: Tensor, tensors: Mapping[str, list[Tensor]]) -> dict[str, list[Tensor]]:
    """Compute the gradient at each named tensor on which the loss depends."""
    if not loss.requires_grad:
        return {}
    flat = [value for values in tensors.values() for value in values]
    gradients = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True))
    found = {name: [next(gradients) for _ in values] for name, values in tensors.items()}
    return {
        name: reached
        for name, values in found.items()
        if (reached := [value for value in values if value is not None])
    }


def _heatmap_beside(loss: str) -> str:
    return f'{HEATMAP_LOSS} beside {loss}'


def _gather(found: Mapping[str, list[Tensor]], names: Iterable[str]) -> list[Tensor]:
    return [value for name in names for value in found[name]]


def _select(place: GradientPlace, found: Mapping[str, list[Tensor]]) -> list[Tensor]:
    values = _gather(found, [name for name in place.tensors if name in found])
    return values if place.select is None else [place.select(value) for value in values]


def _sum(
    total: dict[str, list[Tensor]], found: Mapping[str, list[Tensor]]
) -> dict[str, list[Tensor]]:
    for name, values in found.items():
        before = total.get(name)
        total[name] = (
            values if before is None else [a + b for a, b in zip(before, values, strict=True)]
        )
    return total


def _square(gradients: Iterable[Tensor]) -> float:
    return sum(float(gradient.double().square().sum()) for gradient in gradients)
