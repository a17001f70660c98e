"""Config files by path or by name, and messages that tell what is wrong with them."""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from stdpose_mm.errors import InputError, one_line, require_whole
from stdpose_mm.mmpose_patches import config_folder
from stdpose_mm.text import listed

MODEL_INDEX = 'model-index.yml'

_SIMILARITY = 0.85
"""Least similarity, in 0..1, of a misspelled name and the name that is meant."""

_REGISTERED = re.compile(r'((mmengine|mmcv|mmdet|mmpose|mmpretrain)\.)?\w+')
"""Name of a class, with or without the scope of its registry."""

_BUILDER = re.compile(r'build_\w+|from_cfg|_maybe_compile')
"""Functions of MMEngine that build objects from a config."""

_WRONG_ENTRY = re.compile(r' registry\. |got an unexpected keyword argument|missing \d+ required ')
"""Messages of registries and of Python about an entry that names no class or does not fit it."""

_UNREADABLE = (AttributeError, SyntaxError, TypeError, ValueError, RecursionError, MemoryError)
"""Errors of parsing a config that is no plain values."""

_MISTAKES = (AssertionError, ImportError, LookupError, RuntimeError, TypeError, ValueError)
"""Errors of building objects from a config."""

_READ = {
    *signature(Runner).parameters,
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}
"""Config entries that MMEngine's runner and the tools read. All others are helper variables of
config files, which have no effect once the files have been read."""

_ENVIRONMENT = {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'}
"""Settings of ``env_cfg`` that MMEngine reads."""

_OF_PARAMETERS = {
    *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult'),
    *('dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'),
}

_PARAMWISE = {
    'DefaultOptimWrapperConstructor': _OF_PARAMETERS,
    'STDPoseViTOptimWrapperConstructor': {*_OF_PARAMETERS, 'layer_decay_rate'},
}
"""Settings of ``paramwise_cfg`` that the constructors of optimizers read."""


def read_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config, see :func:`find_config`, and merge ``--cfg-options`` into it.

    Raises:
        InputError: If there is no such config, it or an option cannot be read, or an option sets an
            entry that nothing reads.
    """
    path = find_config(path)
    what = f'config {path} cannot be read'
    try:
        cfg = Config.fromfile(path)
        for option, value in (options or {}).items():
            what = f'--cfg-options {option}={value} does not fit {path}'
            _require_read(cfg, option)
            # Merging takes `_delete_` out of what it merges, which may be read again.
            cfg.merge_from_dict({option: deepcopy(value)})
    except InputError:
        raise
    # A config is a program that the user wrote, so it may fail in any way.
    except Exception as error:
        # MMEngine hides why a module of `custom_imports` cannot be imported.
        reason: BaseException = error
        while isinstance(reason, ImportError) and reason.__context__ is not None:
            reason = reason.__context__
        advice = 'correct it'
        if isinstance(reason, ModuleNotFoundError):
            advice += ', or set PYTHONPATH to the folder of that module (PYTHONPATH=.)'
        raise InputError(
            f'{what} ({type(reason).__name__}: {one_line(reason)}), {advice}'
        ) from error
    return cfg


def _require_read(cfg: Config, option: str) -> None:
    """Raise InputError for an option that would have no effect; suggest similar entries."""
    name, _, rest = option.partition('.')
    if name not in _READ:
        meant = [f'{read}.{rest}'.rstrip('.') for read in get_close_matches(name, _READ, 1, 0.8)]
        meant += [f'{part}.{name}' for part in sorted(_READ) if name in (cfg.get(part) or ())]
        raise InputError(
            f'--cfg-options {option} would change nothing, since no run reads {name!r}, set a key '
            f'that is read, such as {listed(meant or ["model.KEY", "train_dataloader.KEY"], 4)}'
        )


def read_stored_config(text: str, source: str | Path) -> Config:
    """Read the config that a checkpoint contains as text, without running it.

    MMEngine writes assignments of plain values, which are parsed as such. Since a registry imports
    and calls anything that a ``type`` with dots names, only registered classes are allowed.

    Args:
        text: The stored config.
        source: The checkpoint, for error messages.

    Raises:
        InputError: If the text is anything else.
    """
    try:
        lines: Any = _DictCalls().visit(ast.parse(text)).body
        if not all(isinstance(line, ast.Assign) for line in lines):
            raise ValueError('a statement that sets no name')
        entries = {line.targets[0].id: ast.literal_eval(line.value) for line in lines}
    except _UNREADABLE as error:
        raise InputError(
            f'the config in checkpoint {source} holds more than plain values and is not run, give '
            'a config as model'
        ) from error
    strange = sorted({kind for kind in _types(entries) if not _REGISTERED.fullmatch(kind)})
    if strange:
        raise InputError(
            f'the config in checkpoint {source} names {strange[0]}, expected registered classes, '
            'give a config as model'
        )
    return Config(entries)


class _DictCalls(ast.NodeTransformer):
    """Turn ``dict({'b': 2}, a=1)`` into a dictionary display; other calls stay and are refused."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        first = node.args[0] if node.args else ast.Dict([], [])
        if (
            not (isinstance(node.func, ast.Name) and node.func.id == 'dict')
            or len(node.args) > 1
            or not isinstance(first, ast.Dict)
        ):
            return node
        keys = [ast.Constant(key.arg) for key in node.keywords]
        return ast.Dict(
            [*first.keys, *keys], [*first.values, *(key.value for key in node.keywords)]
        )


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if 'type' in node:
            yield str(node['type'])
        node = list(node.values())
    if isinstance(node, list | tuple):
        for inner in node:
            yield from _types(inner)


@contextmanager
def config_mistakes(config: str | Path) -> Iterator[None]:
    """Turn errors of building objects from a config into InputErrors.

    These errors are names that no registry knows, unknown or missing settings of a class, settings
    that a library refuses when it builds its own objects, and missing packages. Other exceptions
    pass.

    Args:
        config: The config file, for the error message.
    """
    try:
        yield
    except InputError:
        raise
    except _MISTAKES as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        building = [n for n, frame in enumerate(frames) if _BUILDER.match(frame.f_code.co_name)]
        is_mistake = building and (
            _WRONG_ENTRY.search(str(error)) or all(map(_of_library, frames[building[-1] :]))
        )
        if not is_mistake:
            raise
        classes = [frame.f_locals.get('obj_cls') for frame in reversed(frames)]
        built = next((kind.__name__ for kind in classes if isinstance(kind, type)), 'the runner')
        # KeyError shows its text in quotes.
        text = error.args[0] if isinstance(error, KeyError) and error.args else one_line(error)
        sentence = str(text).split('. Please check')[0].rstrip('.')
        raise InputError(f'config {config}: {built}: {sentence}, correct that entry') from error


def _of_library(frame: FrameType) -> bool:
    package = str(frame.f_globals.get('__name__')).split('.')[0]
    return package.startswith(('mm', 'torch', 'numpy')) or package in sys.stdlib_module_names


def require_schedule(cfg: Config) -> None:
    """Refuse settings whose errors MMEngine finds only during training, or never.

    Raises:
        InputError: If a length or an interval in ``train_cfg`` is not a positive whole number, no
            metric of ``val_evaluator`` matches the name that selects the best checkpoint, or
            the environment, the clipping of gradients, the settings of single parameters or the
            hook that saves checkpoints has a setting that does not exist.
    """
    from mmpose.registry import METRICS

    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    wrapper = cfg.get('optim_wrapper') or {}
    clip_grad = wrapper.get('clip_grad') or {}
    constructor = wrapper.get('constructor') or 'DefaultOptimWrapperConstructor'
    paramwise = wrapper.get('paramwise_cfg') or {} if constructor in _PARAMWISE else {}
    for name, settings, known in (
        ('env_cfg', cfg.get('env_cfg') or {}, _ENVIRONMENT),
        ('optim_wrapper.clip_grad', clip_grad, _parameters(clip_grad_norm_, clip_grad_value_)),
        ('optim_wrapper.paramwise_cfg', paramwise, _PARAMWISE.get(constructor, set())),
        (
            'default_hooks.checkpoint',
            hook if hook.get('type') == 'CheckpointHook' else {},
            _parameters(CheckpointHook, Runner.save_checkpoint),
        ),
    ):
        for setting in sorted({*settings} - known):
            meant = get_close_matches(setting, known, 1, 0.8)
            raise InputError(
                f'{name} holds {setting!r}, which nothing reads, '
                f'{f"write {meant[0]!r}" if meant else "take it out"}'
            )
    for name in ('max_epochs', 'max_iters', 'val_interval'):
        require_whole(f'train_cfg.{name}', (cfg.get('train_cfg') or {}).get(name, 1), 1)
    chosen = hook.get('save_best')
    evaluator = cfg.get('val_evaluator') or []
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    prefixes = [
        metric.get('prefix') or getattr(METRICS.get(metric['type']), 'default_prefix', None)
        for metric in metrics
        if isinstance(metric, Mapping) and isinstance(metric.get('type'), str)
    ]
    # The names of a metric without a prefix are known to the metric only.
    is_known = metrics and len(prefixes) == len(metrics) and all(prefixes)
    if is_known and isinstance(chosen, str) and chosen.split('/')[0] not in (*prefixes, 'auto'):
        raise InputError(
            f'default_hooks.checkpoint.save_best is {chosen!r}, but the metrics of val_evaluator '
            f'begin with {listed([f"{prefix}/" for prefix in prefixes], 4)}, set it to one of these'
        )


def _parameters(*functions: Callable) -> set[str]:
    return {'type'}.union(*(signature(function).parameters for function in functions))


# The configs of this package by name


def find_config(config: str | Path) -> Path:
    """Return the file of a config.

    Args:
        config: Its path, or the name of a model of this package, see :func:`find_model`.

    Raises:
        InputError: If there is no such file and no such model.
    """
    if Path(config).is_file():
        return Path(config)
    model = find_model(str(config))
    if model is None:
        raise InputError(
            f'config {config} does not exist, expected a Python file such as those in configs/, or '
            'the name of one of these'
        )
    return model[0]


def config_files(folder: Path) -> list[Path]:
    """List the configs of models in ``configs`` of a folder, without their parts."""
    root = folder / 'configs'
    return sorted(path for path in root.rglob('*.py') if '_base_' not in path.parts)


def read_metafiles(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the models in a folder's metafiles; ``Names`` of each are its name and aliases."""
    index = folder / MODEL_INDEX
    for file in load(index)['Import'] if index.is_file() else ():
        for model in load(folder / file)['Models']:
            aliases = model.get('Alias', [])
            aliases = [aliases] if isinstance(aliases, str) else aliases
            yield {**model, 'Names': (model['Name'], *aliases)}


def find_model(name: str) -> tuple[Path, str | None] | None:
    """Find the config of a model of this package.

    Args:
        name: A name or alias in a metafile of ``configs``, the name of a config file there without
            its suffix, or ``stdpose_mm::`` and its path there. Case does not matter in names.

    Returns:
        The config, and its weights if the metafile lists any; None if there is no such model.

    Raises:
        InputError: If no config has this name, but one has a similar name.
    """
    folder, wanted = config_folder(), name.lower()
    models: dict[str, tuple[Path, str | None]] = {}
    for path in config_files(folder):
        place = path.relative_to(folder / 'configs').as_posix()
        models[path.stem.lower()] = models[f'stdpose_mm::{place}'.lower()] = (path, None)
    for model in read_metafiles(folder):
        weights = model.get('Weights')
        # Those of the demo come with the package.
        if weights is not None and (folder / weights).is_file():
            weights = str(folder / weights)
        entry = (folder / model['Config'], weights)
        models.update(dict.fromkeys(map(str.lower, model['Names']), entry))
    similar = get_close_matches(Path(wanted).stem, models, 1, _SIMILARITY)
    if similar and wanted not in models:
        raise InputError(f'config {name} does not exist, did you mean {similar[0]}?')
    return models.get(wanted)
