"""Measurement of every part of a window model: its gradients and its effect on predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from research.study.held_out_data import generators_from, kept_modes
from stdpose_mm.errors import InputError
from stdpose_mm.models.pose_estimators.window_pose_estimator import WindowPoseEstimator

from .effects import Accuracy, Effect, predict_without
from .gradients import (
    ALL_LOSSES,
    FIELDS,
    INPUT_FIELDS,
    OWN,
    SHARED,
    Gradients,
    gradients_of,
    recorded_losses,
)
from .model_parts import HEATMAP_LOSS, PICTURES, GradientPlace, Part, field_name, find_parts

FLOAT_NOISE = 1e-5
"""Relative change of heatmaps that rounding in float32 can cause."""

WEAK_CHANGE = 1e-3
"""Relative change of heatmaps below which a part is called weak, as it moves no joint."""

WEAK_SHARE = 0.01
"""Share of the heatmap loss's gradient below which a part or term is called weak."""

DEAD, WEAK, ACTS = 'dead', 'weak', 'acts'


@dataclass(frozen=True)
class StepSettings:
    """Settings of the optimizer with which gradients are compared.

    Args:
        adam_eps: Adam's eps: a gradient of that size makes half a step, a smaller one less.
        max_norm: Norm to which the gradient of all parameters is clipped; ``None`` for no clipping.
        seed: Seed of a model's random draws in training, such as masks.
    """

    adam_eps: float = 1e-8
    max_norm: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class GradientReport:
    """The gradient of a loss at a place, as root mean squares over the batches.

    Args:
        place: Name of the place.
        elements: Number of elements; for tensors other than parameters, in one batch.
        loss: The loss.
        norm: Norm of the gradient.
        per_element: Root mean square over the elements.
        eps_ratio: The same, clipped as in training, in units of Adam's eps, for a part with all
            losses together, for a term alone; ``None`` where the optimizer does not step.
        share: ``norm`` divided by the norm of the reference; ``None`` without a reference.
        reference: The gradient to which ``share`` is relative.
    """

    place: str
    elements: int
    loss: str
    norm: float
    per_element: float
    eps_ratio: float | None
    share: float | None
    reference: str | None


@dataclass(frozen=True)
class PartReport:
    """Measurements of a part of the model, or of a term of the loss.

    Args:
        name: Its name.
        gradients: Its gradients.
        effects: Effects of neutralising it; empty for a part that only training uses.
        verdict: 'acts', 'weak' or 'dead'.
        reason: Why it is weak or dead.
    """

    name: str
    gradients: tuple[GradientReport, ...]
    effects: tuple[Effect, ...]
    verdict: str
    reason: str


@dataclass(frozen=True)
class ProbeReport:
    """Result of a probe.

    Args:
        windows: Number of windows.
        losses: Loss -> mean over the batches.
        gradient_norm: Norm of the gradient of all losses at all parameters, before clipping.
        accuracy: Accuracy of the whole model.
        parts: The parts of the model.
        terms: The losses other than the loss of the final heatmaps.
    """

    windows: int
    losses: dict[str, float]
    gradient_norm: float
    accuracy: Accuracy
    parts: tuple[PartReport, ...]
    terms: tuple[PartReport, ...]

    def judged(self, verdict: str) -> list[PartReport]:
        """List the parts and terms with a verdict."""
        return [part for part in (*self.parts, *self.terms) if part.verdict == verdict]


def probe_parts(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], settings: StepSettings | None = None
) -> ProbeReport:
    """Measure which parts of a window model have an effect.

    Gradients are measured in a training step in float32 (batch statistics, masks, drop path),
    effects in predictions of the same windows, without flip testing. Weights, buffers and modes of
    the model are restored at the end.

    Args:
        model: A window model.
        batches: Batches from a loader of windows, with the targets of all losses.
        settings: Settings of the optimizer; defaults are Adam's, without clipping.

    Raises:
        InputError: If the model is not a window model, or there is no window.
    """
    settings = settings or StepSettings()
    if not isinstance(model, WindowPoseEstimator):
        raise InputError(
            f'the model is a {type(model).__name__}, the probe needs a window model such as STDPose'
        )
    packed = list(batches)
    if not packed:
        raise InputError('there is no window to probe the model with, give data with labels')
    with _kept_as_it_is(model):
        parts = find_parts(model, _read_tensors(model, packed[0], settings.seed))
        places = [place for part in parts for place in part.places]
        references = [place.reference for place in places if place.reference is not None]
        gradients = Gradients([*places, *references])
        gradients.measure(model, packed, settings.seed)
        whole = predict_without(model, packed)
        assert whole is not None
        reports = []
        for part in parts:
            effects = []
            for way in part.neutralisations:
                without = predict_without(model, packed, way)
                if without is not None:
                    effects.append(whole.effect_of(way.name, without))
            reports.append(_report_part(part, gradients, effects, settings))
    return ProbeReport(
        windows=len(whole.keypoints),
        losses=gradients.losses,
        gradient_norm=gradients.total_norm,
        accuracy=whole.accuracy(),
        parts=tuple(reports),
        terms=tuple(
            _report_term(loss, gradients, settings)
            for loss in gradients.losses
            if loss != HEATMAP_LOSS
        ),
    )


@contextmanager
def _kept_as_it_is(model: WindowPoseEstimator) -> Iterator[None]:
    """Turn flip testing off in the context; restore buffers, modes and ``test_cfg`` after it."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    test_cfg = model.test_cfg
    model.test_cfg = {**(test_cfg or {}), 'flip_test': False, 'use_frame_head': False}
    try:
        with kept_modes(model):
            yield
    finally:
        model.test_cfg = test_cfg
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def _read_tensors(model: WindowPoseEstimator, batch: Mapping[str, Any], seed: int) -> set[str]:
    """Name the inputs and fields of the representation on which the final heatmaps depend."""
    if not model.with_neck:
        return set()
    with generators_from(seed):
        losses, tensors = recorded_losses(model, batch)
    names = {PICTURES, *INPUT_FIELDS, *FIELDS}
    candidates = {name: values for name, values in tensors.items() if name in names}
    return set(gradients_of(losses[HEATMAP_LOSS], candidates))


def _report_gradient(
    gradients: Gradients,
    loss: str,
    place: GradientPlace,
    settings: StepSettings,
    reference: tuple[str, float | None] | None = None,
    stepped: str | None = None,
) -> GradientReport | None:
    """Report a loss's gradient at a place; ``None`` if the place does not affect the loss.

    Args:
        gradients: All gradients.
        loss: The loss.
        place: The place.
        settings: Settings of the optimizer.
        reference: Name and norm of the gradient to which the share is relative.
        stepped: Loss whose gradient is compared with Adam's eps; by default, the same loss.
    """
    norm = gradients.norm(loss, place)
    if norm is None:
        return None
    root = math.sqrt(gradients.elements(loss, place))
    eps_ratio = None
    if place.is_parameters:
        clip = 1.0
        if settings.max_norm is not None and gradients.total_norm > settings.max_norm:
            clip = settings.max_norm / gradients.total_norm
        step_norm = gradients.norm(stepped or loss, place)
        assert step_norm is not None
        eps_ratio = clip * step_norm / root / settings.adam_eps
    name, other = reference or (None, None)
    return GradientReport(
        place=place.name,
        elements=gradients.elements(loss, place),
        loss=loss,
        norm=norm,
        per_element=norm / root,
        eps_ratio=eps_ratio,
        share=norm / other if other else None,
        reference=name if other else None,
    )


def _report_part(
    part: Part, gradients: Gradients, effects: Sequence[Effect], settings: StepSettings
) -> PartReport:
    reports = []
    for place in part.places:
        for loss in (HEATMAP_LOSS, ALL_LOSSES):
            other = place.reference
            reference = None if other is None else (other.name, gradients.norm(loss, other))
            report = _report_gradient(gradients, loss, place, settings, reference, ALL_LOSSES)
            if report is not None:
                reports.append(report)
                break
    verdict, reason = _judge_part(part, reports, effects)
    return PartReport(part.name, tuple(reports), tuple(effects), verdict, reason)


def _judge_part(
    part: Part, reports: Sequence[GradientReport], effects: Sequence[Effect]
) -> tuple[str, str]:
    # A part that is taken out in several ways, such as a mask, must matter in each.
    least = min(effects, key=lambda effect: effect.heatmap_change, default=None)
    if least is not None and least.heatmap_change <= FLOAT_NOISE:
        return DEAD, f'{least.neutralisation}: no heatmap changes'
    if part.places and not reports:
        return DEAD, 'no loss reaches it'
    for report in reports:
        if report.eps_ratio is not None and report.eps_ratio < 1:
            return DEAD, f"the gradient at {report.place} is {report.eps_ratio:.2g} of Adam's eps"
    if least is not None and least.heatmap_change < WEAK_CHANGE:
        return WEAK, f'{least.neutralisation}: heatmaps change by {least.heatmap_change:.2g}'
    return _judge_shares(reports)


def _judge_shares(reports: Sequence[GradientReport]) -> tuple[str, str]:
    shares = [report for report in reports if report.share is not None]
    best = max(shares, key=lambda report: report.share or 0.0, default=None)
    if best is not None and (best.share or 0.0) < WEAK_SHARE:
        return WEAK, f'the gradient at {best.place} is {best.share:.2g} of that of {best.reference}'
    return ACTS, ''


def _report_term(loss: str, gradients: Gradients, settings: StepSettings) -> PartReport:
    reports = []
    for name, place in FIELDS.items():
        if gradients.norm(HEATMAP_LOSS, place) is not None:
            reference = ('the heatmap loss', gradients.norm(HEATMAP_LOSS, place))
            report = _report_gradient(gradients, loss, place, settings, reference)
            if report is not None:
                reports.append(replace(report, place=field_name(name)))
    beside = ('the heatmap loss', gradients.shared_heatmap_norm(loss))
    groups = (
        _report_gradient(gradients, loss, SHARED, settings, beside),
        _report_gradient(gradients, loss, OWN, settings),
    )
    reports += [report for report in groups if report is not None]
    return PartReport(loss, tuple(reports), (), *_judge_term(reports))


def _judge_term(reports: Sequence[GradientReport]) -> tuple[str, str]:
    if not reports or not any(report.norm for report in reports):
        return DEAD, 'it has no gradient'
    ratios = [report.eps_ratio for report in reports if report.eps_ratio is not None]
    if ratios and max(ratios) < 1:
        return DEAD, f"its gradient is {max(ratios):.2g} of Adam's eps"
    return _judge_shares(reports)
