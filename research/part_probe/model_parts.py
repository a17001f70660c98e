"""The parts of a window model: how each is neutralised, and where its gradient is measured.

Parts are found in the model, not in its config: the inputs and the fields of the representation
on which the final heatmaps depend, the modules of neck and head, the modules of the mutual
information loss, learnable embeddings and tokens. Only this module knows single classes, in
``OUTPUT_CHANGES``, ``ORDINARY_LAYERS`` and :func:`_mask_places`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from stdpose_mm.models.heads.dynamic_aware_mask import DynamicAwareMask
from stdpose_mm.models.necks import KeyFrameFusion, TemporalFeatureFusion
from stdpose_mm.models.structures import SpatioTemporalRepresentation, key_of

HEATMAP_LOSS = 'loss_kpt'
"""The name of the loss of the final heatmaps in MMPose's heads."""

PICTURES, GIVEN, PRIOR = 'auxiliary pictures', 'given labels', 'prior map'
"""Names of the input parts; their tensors are recorded under these names."""

FIELD_NAMES = {
    'frame_feature': 'F_t',
    'fused_feature': 'F~',
    'frame_heatmaps': 'H_l, H_t, H_r',
    'merged_heatmaps': 'H~',
}
"""Field of the representation -> symbol; other fields are shown by name only."""

ORDINARY_LAYERS = ('deconv_layers', 'conv_layers', 'final_layer', 'loss_module')
"""Layers of every heatmap head, without which there is no prediction."""

LEARNABLE_VECTORS = ('_embed', '_token')
"""Suffixes of the names of embeddings and of tokens that replace hidden ones."""

OutputChange = Callable[[Any, Sequence[Any]], Any]
InputChange = Callable[[Tensor, list[PoseDataSample]], tuple[Tensor, list[PoseDataSample]]]


@dataclass(frozen=True)
class GradientPlace:
    """Tensors at which a gradient is measured.

    Args:
        name: Its name in the report.
        tensors: Names of parameters (as in ``named_parameters``) or of recorded tensors.
        select: Takes the elements of interest from the gradient of each tensor.
        is_parameters: Whether an optimizer updates these elements.
        reference: Place with whose gradient of the same loss this gradient is compared.
    """

    name: str
    tensors: tuple[str, ...]
    select: Callable[[Tensor], Tensor] | None = None
    is_parameters: bool = False
    reference: GradientPlace | None = None


@dataclass(frozen=True)
class Neutralisation:
    """One way to take a part out of a prediction.

    Args:
        name: What is done, such as 'zeroed'.
        context: Takes the part out of the model within the context; ``None`` if only the inputs
            change.
        inputs: Changes the crops and the samples of a batch.
        module: Name of the module whose output is changed; ``None`` if none is. A module that
            predictions do not run is a part of training only.
    """

    name: str
    context: Callable[[], AbstractContextManager[None]] | None = None
    inputs: InputChange | None = None
    module: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of a model.

    Args:
        name: Its name in the report.
        neutralisations: Ways to take it out.
        places: Where its gradient is measured.
    """

    name: str
    neutralisations: tuple[Neutralisation, ...] = ()
    places: tuple[GradientPlace, ...] = ()


def find_parts(model: nn.Module, read: set[str]) -> list[Part]:
    """Find the parts of a window model.

    Args:
        model: A :class:`~stdpose_mm.models.pose_estimators.WindowPoseEstimator`.
        read: Names of the inputs and of the fields of the representation on which the final
            heatmaps depend.
    """
    return [
        *_input_parts(read),
        *_field_parts(model, read),
        *_module_parts(model),
        *_vector_parts(model),
    ]


# Inputs


def show_key_pictures(
    inputs: Tensor, samples: list[PoseDataSample]
) -> tuple[Tensor, list[PoseDataSample]]:
    """Replace the crops of the auxiliary frames by the key frame's: [N, T, 3, H, W]."""
    return key_of(inputs)[:, None].expand_as(inputs).contiguous(), samples


def withhold_labels(
    inputs: Tensor, samples: list[PoseDataSample]
) -> tuple[Tensor, list[PoseDataSample]]:
    """Withhold the given labels and the pose interpolated between them."""
    samples = copy.deepcopy(samples)
    for sample in samples:
        if 'given_heatmaps' in sample.gt_fields:
            sample.gt_fields.given_heatmaps = torch.zeros_like(sample.gt_fields.given_heatmaps)
            sample.gt_fields.prior_heatmaps = torch.zeros_like(sample.gt_fields.prior_heatmaps)
            given = sample.gt_instance_labels.given_mask
            sample.gt_instance_labels.given_mask = torch.zeros_like(given)
    return inputs, samples


def withhold_prior(
    inputs: Tensor, samples: list[PoseDataSample]
) -> tuple[Tensor, list[PoseDataSample]]:
    """Empty the map of the interpolated pose."""
    samples = copy.deepcopy(samples)
    for sample in samples:
        if 'prior_heatmaps' in sample.gt_fields:
            sample.gt_fields.prior_heatmaps = torch.zeros_like(sample.gt_fields.prior_heatmaps)
    return inputs, samples


def _input_parts(read: set[str]) -> Iterator[Part]:
    for name, way, change in (
        (PICTURES, 'key picture in their place', show_key_pictures),
        (GIVEN, 'withheld', withhold_labels),
        (PRIOR, 'zeroed', withhold_prior),
    ):
        if name in read:
            place = GradientPlace('input', (name,))
            yield Part(name, (Neutralisation(way, inputs=change),), (place,))


# The representation that the neck passes to the head


def _field_parts(model: nn.Module, read: set[str]) -> Iterator[Part]:
    for field in SpatioTemporalRepresentation._fields:
        if field in read:
            context = partial(changed_output, model.get_submodule('neck'), _zeroed_field(field))
            yield Part(
                field_name(field),
                (Neutralisation('zeroed', context, module='neck'),),
                (GradientPlace('tensor', (field,)),),
            )


def field_name(field: str) -> str:
    """Name a field of the representation by its symbol: ``F~ (fused_feature)``."""
    return f'{FIELD_NAMES[field]} ({field})' if field in FIELD_NAMES else field


def _zeroed_field(field: str) -> OutputChange:
    def change(output: Any, _: Sequence[Any]) -> Any:
        return output._replace(**{field: torch.zeros_like(getattr(output, field))})

    return change


# Modules


def zeroed(output: Any, _: Sequence[Any]) -> Any:
    """Replace a module's output by zeros: a tensor, or several of which some may be missing."""
    if isinstance(output, tuple):
        return tuple(None if value is None else torch.zeros_like(value) for value in output)
    return torch.zeros_like(output)


def negated(output: Tensor, _: Sequence[Any]) -> Tensor:
    """Negate scores, so that the lowest become the highest."""
    return -output


def averaged(output: Any, _: Sequence[Any]) -> Any:
    """Replace a map [N, C, h, w] by its mean over space."""
    return output.mean(dim=(-2, -1), keepdim=True).expand_as(output)


def skipped(output: Any, arguments: Sequence[Any]) -> Any:
    """Replace a module's output by its first argument."""
    return arguments[0]


def key_frame_alone(output: Any, arguments: Sequence[Any]) -> Any:
    """Replace F~ by F_t, the feature [N, D, h', w'] of only the key frame."""
    return key_of(arguments[0])


OUTPUT_CHANGES: dict[type[nn.Module], dict[str, OutputChange]] = {
    DynamicAwareMask: {'branch zeroed': zeroed, 'mask uniform': averaged},
    TemporalFeatureFusion: {'zeroed': zeroed, 'F_t in its place': key_frame_alone},
    KeyFrameFusion: {'zeroed': zeroed, 'F_t in its place': key_frame_alone},
}
"""Class of a module -> ways to neutralise it, instead of only zeroing its output."""


def _module_parts(model: nn.Module) -> Iterator[Part]:
    for name, module, ways in _candidates(model):
        places = tuple(_module_places(model, name, module))
        if places or ways:
            neutralisations = tuple(
                Neutralisation(way, partial(changed_output, module, change), module=name)
                for way, change in ways.items()
            )
            yield Part(name, neutralisations, places)


def _candidates(
    model: nn.Module,
) -> Iterator[tuple[str, nn.Module, dict[str, OutputChange]]]:
    """Yield name, module and ways to neutralise it for every module that is a part."""
    pruning = getattr(getattr(model, 'backbone', None), 'pruning', None)
    if pruning is not None:
        yield 'backbone.pruning', pruning, {'scores reversed': negated}
    frame_head = getattr(model, 'frame_head', None)
    if frame_head is not None:
        yield 'frame_head', frame_head, {'zeroed': zeroed}
    for owner in ('neck', 'head'):
        for name, module in (getattr(model, owner, None) or nn.Module()).named_children():
            if isinstance(module, nn.ModuleList):
                for number, block in enumerate(module):
                    yield f'{owner}.{name}.{number}', block, {'skipped': skipped}
            elif name not in ORDINARY_LAYERS and not _is_plain_layer(module):
                ways = OUTPUT_CHANGES.get(type(module), {'zeroed': zeroed})
                yield f'{owner}.{name}', module, ways
    # A loss itself is not a part, only the networks by which it estimates something.
    for name, module in (getattr(model, 'mi_loss', None) or nn.Module()).named_children():
        yield f'mi_loss.{name}', module, {}


def _is_plain_layer(module: nn.Module) -> bool:
    """Return whether a module is a single layer of PyTorch."""
    return type(module).__module__.startswith('torch.nn') and not any(module.children())


def _module_places(model: nn.Module, name: str, module: nn.Module) -> Iterator[GradientPlace]:
    if isinstance(module, DynamicAwareMask):
        yield from _mask_places(model, name, module)
    names = tuple(f'{name}.{parameter}' for parameter, _ in module.named_parameters())
    if names:
        yield GradientPlace('parameters', names, is_parameters=True)


def _mask_places(model: nn.Module, name: str, mask: DynamicAwareMask) -> Iterator[GradientPlace]:
    """Yield the mask itself, and the masked half of the embedding's weights."""
    yield GradientPlace('mask', (name,))
    owner = name.rpartition('.')[0]
    embedding = f'{owner}.patch_embed.weight'
    if embedding in dict(model.named_parameters()):
        num_joints = mask.num_joints
        plain = GradientPlace('unmasked half', (embedding,), lambda g: g[:, num_joints:])
        yield GradientPlace(
            'masked half of patch_embed',
            (embedding,),
            lambda g: g[:, :num_joints],
            is_parameters=True,
            reference=plain,
        )


# Embeddings and tokens


def _vector_parts(model: nn.Module) -> Iterator[Part]:
    for name, parameter in model.named_parameters():
        if name.endswith(LEARNABLE_VECTORS):
            # A token that replaces hidden ones has no effect on predictions.
            ways = (
                ()
                if name.endswith('_token')
                else (Neutralisation('zeroed', partial(zeroed_parameter, parameter)),)
            )
            yield Part(name, ways, (GradientPlace('parameters', (name,), is_parameters=True),))


@contextmanager
def zeroed_parameter(parameter: nn.Parameter) -> Iterator[None]:
    """Set a parameter to zero within the context."""
    value = parameter.detach().clone()
    try:
        with torch.no_grad():
            parameter.zero_()
        yield
    finally:
        with torch.no_grad():
            parameter.copy_(value)


@contextmanager
def changed_output(module: nn.Module, change: OutputChange) -> Iterator[None]:
    """Change the output of a module within the context.

    A forward hook would not run, because MMPose's heads call their own ``forward`` directly.

    Args:
        module: The module.
        change: Maps the output and the positional arguments to another output.
    """
    before = module.__dict__.get('forward')
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return change(original(*args, **kwargs), args)

    module.__dict__['forward'] = forward
    try:
        yield
    finally:
        if before is None:
            del module.__dict__['forward']
        else:
            module.__dict__['forward'] = before
