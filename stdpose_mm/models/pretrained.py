"""Weights of checkpoints from many sources, and the parameters of a model that they fill."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.text import counted, listed

BACKBONE = 'backbone'
CONTAINERS = ('state_dict', 'model', 'teacher', 'student')
"""Keys of the weights in checkpoints of MMEngine, of MAE and timm, and of DINO, whose teacher comes
first because it is what DINO evaluates."""
_PRUNING = re.compile(rf'^({BACKBONE}\.)?pruning\.')
_WRAPPER = re.compile(r'^(module\.)+')
_KINDS = ('loaded', 'resized', 'missing', 'other shape', 'unexpected')
_NAMED = 4


def model_weights(checkpoint: Mapping[str, Any], prefix: str = '') -> dict[str, Tensor]:
    """Extract the weights from a checkpoint, with names relative to the whole model.

    Those of a plain ViT (MAE, DINO, timm) get ``backbone.`` before their names; the ViT itself
    knows the rest of these names, see :class:`~stdpose_mm.models.backbones.ViT`.

    Args:
        checkpoint: Content of the file: the weights, or a dictionary that has them under one of
            ``CONTAINERS``, possibly nested.
        prefix: Keep only the weights whose names begin with this prefix, and remove the prefix.
    """
    weights = checkpoint
    while inner := [name for name in CONTAINERS if isinstance(weights.get(name), Mapping)]:
        weights = weights[inner[0]]
    named = {
        _WRAPPER.sub('', name): value
        for name, value in weights.items()
        if isinstance(value, Tensor)
    }
    if prefix:
        named = {
            name[len(prefix) :]: value for name, value in named.items() if name.startswith(prefix)
        }
    if any(name.startswith('patch_embed.') for name in named):
        named = {f'{BACKBONE}.{name}': value for name, value in named.items()}
    return named


def read_backbone_weights(file: str, prefix: str = '') -> dict[str, Tensor]:
    """Read the backbone's weights from a checkpoint, with names relative to the backbone.

    Args:
        file: Path or address.
        prefix: See :func:`model_weights`.

    Raises:
        InputError: If it cannot be read.
    """
    checkpoint = CheckpointLoader.load_checkpoint(file, map_location='cpu')
    start = f'{BACKBONE}.'
    return {
        name[len(start) :]: value
        for name, value in model_weights(checkpoint, prefix).items()
        if name.startswith(start)
    }


@dataclass
class FillReport:
    """The weights of a model that a checkpoint fills or leaves.

    Args:
        part: Name of the filled part of the model; empty for the whole model, which is reported
            part by part.
        loaded: Names of the weights that take the stored values.
        resized: Names of the weights that take resized or changed values: position embeddings.
        missing: Names of the weights that keep their initial values, because none are stored.
        other_shape: Names of the weights that keep their initial values, because the stored values
            have another shape.
        unexpected: Names of stored values without a place in the model.
    """

    part: str = ''
    loaded: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    other_shape: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)

    def of(self, part: str) -> tuple[list[str], ...]:
        """List the names of a part by kind, in the order of the class's arguments."""
        return tuple([name for name in names if self._part_of(name) == part] for names in self.all)

    @property
    def all(self) -> tuple[list[str], ...]:
        """The names of the whole by kind."""
        return self.loaded, self.resized, self.missing, self.other_shape, self.unexpected

    def table(self) -> str:
        """Format the numbers of weights, a row per part, and name some of those that do not fit."""
        parts = dict.fromkeys(self._part_of(name) for names in self.all for name in names)
        rows = [['', *_KINDS]]
        rows += [[part, *(str(len(names)) for names in self.of(part))] for part in parts]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        named = zip(_KINDS[3:], self.all[3:], strict=True)
        lines += [f'{kind}: {listed(names, _NAMED)}' for kind, names in named if names]
        return '\n'.join(lines)

    def require_backbone(self, source: str) -> None:
        """Raise InputError unless every weight of the backbone, where there is one, was filled.

        Those of pruning may be missing: training starts them.

        Args:
            source: Where the weights come from.
        """
        loaded, resized, missing, other_shape, _ = self.of(BACKBONE)
        known = [name for name in missing if not _PRUNING.match(name)]
        unfilled = [*other_shape, *known]
        if not unfilled:
            return
        filled = len(loaded) + len(resized)
        raise InputError(
            f'{source} fills {filled} of the {counted(filled + len(unfilled), "weight")} of the '
            f'backbone (not {listed(unfilled, _NAMED)}), give weights of its arch and patch_embed'
        )

    def require_any(self, source: str) -> None:
        """Raise InputError unless a weight of the model was filled.

        Args:
            source: Where the weights come from.
        """
        if not self.loaded and not self.resized:
            unfilled = counted(len(self.missing) + len(self.other_shape), 'weight')
            held = listed(self.unexpected, _NAMED) or 'no others'
            raise InputError(
                f'{source} fills none of the {unfilled} of the model, but holds {held}, give '
                'weights of this model'
            )

    def _part_of(self, name: str) -> str:
        return self.part or name.split('.')[0]


def compare_weights(model: nn.Module, weights: Mapping[str, Tensor], part: str = '') -> FillReport:
    """Report which weights of a model loading would fill, without changing the model.

    Names and shapes are compared after the model's own hooks, which rename and resize on loading.

    Args:
        model: The model, or the part of one.
        weights: Named from ``model``.
        part: Name of that part; empty for the whole.
    """
    report = FillReport(part)
    stored = {_memory(value) for value in weights.values()}
    _compare(model, dict(weights), '', stored, report)
    return report


def _compare(
    module: nn.Module,
    weights: dict[str, Tensor],
    prefix: str,
    stored: set[tuple[int, torch.Size]],
    report: FillReport,
) -> None:
    for hook in module._load_state_dict_pre_hooks.values():
        hook(weights, prefix, {}, True, [], [], [])
    for name, value in _own_tensors(module):
        found = weights.get(prefix + name)
        if found is None:
            # A counter that old checkpoints lack; PyTorch and MMEngine do not miss it, either.
            if name != 'num_batches_tracked':
                report.missing.append(prefix + name)
        elif found.shape != value.shape:
            report.other_shape.append(prefix + name)
        else:
            (report.loaded if _memory(found) in stored else report.resized).append(prefix + name)
    known = {name for name, _ in _own_tensors(module)}
    children = {name: child for name, child in module._modules.items() if child is not None}
    for key in weights:
        first, _, rest = key[len(prefix) :].partition('.')
        if first not in (children if rest else known):
            report.unexpected.append(key)
    for name, child in children.items():
        start = f'{prefix}{name}.'
        inside = {key: value for key, value in weights.items() if key.startswith(start)}
        _compare(child, inside, start, stored, report)


def _memory(value: Tensor) -> tuple[int, torch.Size]:
    """Return a key that identifies a tensor by the memory of its values."""
    return value.data_ptr(), value.shape


def _own_tensors(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    """List the tensors in the state of a module itself, without its submodules."""
    yield from module.named_parameters(recurse=False)
    for name, value in module.named_buffers(recurse=False):
        if name not in module._non_persistent_buffers_set:
            yield name, value
