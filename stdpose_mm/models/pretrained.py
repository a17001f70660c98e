"""Weights of checkpoints from many sources, and the parameters of a model that they fill."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from stdpose_mm.checkpoint_files import safe_mmengine_reader
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted, listed

BACKBONE = 'backbone'
CONTAINERS = ('state_dict', 'model', 'teacher', 'student')
"""Keys of the weights in checkpoints of MMEngine, of MAE and timm, and of DINO. DINO's teacher
comes before the student because DINO evaluates the teacher."""
_PRUNING = re.compile(rf'^({BACKBONE}\.)?pruning\.')
_WRAPPER = re.compile(r'^(module\.)+')
_KINDS = ('loaded', 'resized', 'missing', 'other shape', 'unexpected')
_NAMED = 4


def model_weights(checkpoint: Mapping[str, Any], prefix: str = '') -> dict[str, Tensor]:
    """Extract the weights from a checkpoint, with names relative to the whole model.

    The names in a plain ViT (MAE, DINO, timm) get the prefix ``backbone.``; the ViT itself converts
    the rest, see :class:`~stdpose_mm.models.backbones.ViT`.

    Args:
        checkpoint: Content of the file: the weights, or a dictionary that contains them under one
            of ``CONTAINERS``, possibly nested.
        prefix: Only weights whose names begin with this prefix are kept, without the prefix.
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
    with safe_mmengine_reader():
        checkpoint = CheckpointLoader.load_checkpoint(file, map_location='cpu')
    start = f'{BACKBONE}.'
    return {
        name[len(start) :]: value
        for name, value in model_weights(checkpoint, prefix).items()
        if name.startswith(start)
    }


@dataclass
class FillReport:
    """Report of the weights of a model that a checkpoint fills or leaves.

    Args:
        loaded: Names of the weights that take the stored values.
        resized: Names of the weights that take resized or changed values (position embeddings).
        missing: Names of the weights that keep their initial values, because none are stored.
        other_shape: Names of the weights that keep their initial values, because the stored values
            have another shape.
        unexpected: Names of stored values that the model does not have.
        part: Name of the filled part of the model; empty for the whole model, which is reported
            part by part.
    """

    loaded: list[str]
    resized: list[str]
    missing: list[str]
    other_shape: list[str]
    unexpected: list[str]
    part: str = ''

    def table(self) -> str:
        """Format the numbers of weights, one row per part, and name some that do not fit."""
        kinds = [self.loaded, self.resized, self.missing, self.other_shape, self.unexpected]
        counts = [Counter(map(self._part_of, names)) for names in kinds]
        rows = [['', *_KINDS]]
        for part in dict.fromkeys(part for count in counts for part in count):
            rows.append([part, *(str(count[part]) for count in counts)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        named = zip(_KINDS[3:], kinds[3:], strict=True)
        lines += [f'{kind}: {listed(names, _NAMED)}' for kind, names in named if names]
        return '\n'.join(lines)

    def require_backbone(self, source: str) -> None:
        """Raise InputError unless every weight of the backbone, if there is one, was filled.

        Weights of the pruning may be missing, since training initialises them.

        Args:
            source: Where the weights come from.
        """
        unfilled = [
            name
            for name in (*self.other_shape, *self.missing)
            if self._part_of(name) == BACKBONE and not _PRUNING.match(name)
        ]
        if unfilled:
            filled = sum(self._part_of(name) == BACKBONE for name in (*self.loaded, *self.resized))
            raise InputError(
                f'{source} fills {filled} of the {counted(filled + len(unfilled), "weight")} of '
                f'the backbone (not {listed(unfilled, _NAMED)}), give weights of its arch and '
                'patch_embed'
            )

    def require_any(self, source: str) -> None:
        """Raise InputError unless any weight of the model was filled.

        Args:
            source: Where the weights come from.
        """
        if not self.loaded and not self.resized:
            unfilled = counted(len(self.missing) + len(self.other_shape), 'weight')
            raise InputError(
                f'{source} fills none of the {unfilled} of the model, but holds '
                f'{listed(self.unexpected, _NAMED) or "no others"}, give weights of this model'
            )

    def _part_of(self, name: str) -> str:
        return self.part or name.split('.')[0]


def compare_weights(model: nn.Module, weights: Mapping[str, Tensor], part: str = '') -> FillReport:
    """Report which weights of a model would be filled by loading, without changing the model.

    Names and shapes are compared after the model's own loading hooks, which rename and resize.

    Args:
        model: The model, or a part of one.
        weights: Weights with names relative to ``model``.
        part: Name of that part; empty for the whole model.
    """
    renamed = dict(weights)
    for name, module in model.named_modules():
        for hook in module._load_state_dict_pre_hooks.values():
            hook(renamed, f'{name}.' if name else '', {}, True, [], [], [])
    stored = {(value.data_ptr(), value.shape) for value in weights.values()}
    expected = model.state_dict()
    common = [name for name in expected if name in renamed]
    fitting = [name for name in common if renamed[name].shape == expected[name].shape]
    loaded = [name for name in fitting if (renamed[name].data_ptr(), renamed[name].shape) in stored]
    return FillReport(
        loaded=loaded,
        resized=[name for name in fitting if name not in {*loaded}],
        # Old checkpoints lack a counter that PyTorch and MMEngine do not require, either.
        missing=[n for n in expected if n not in renamed and not n.endswith('num_batches_tracked')],
        other_shape=[name for name in common if name not in {*fitting}],
        unexpected=[name for name in renamed if name not in expected],
        part=part,
    )
