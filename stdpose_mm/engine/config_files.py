"""Config files, and errors that say what is wrong with them."""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from mmengine.config import Config

from stdpose_mm.engine.dataset_configs import nested_datasets
from stdpose_mm.errors import InputError, one_line, require_whole
from stdpose_mm.io.file_names import require_config
from stdpose_mm.text import listed

_REGISTERED = re.compile(r'((mmengine|mmcv|mmdet|mmpose|mmpretrain)\.)?\w+')
"""Name of a class, with or without the scope of its registry."""

_BUILDER = re.compile(r'build_\w+|from_cfg')
"""Functions of MMEngine that build objects from a config."""

_LIBRARIES = (
    'mmengine',
    'mmcv',
    'mmdet',
    'mmpose',
    'mmpretrain',
    'numpy',
    'torch',
    'torchvision',
)

_READ = {
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_hooks',
    'custom_imports',
    'data_preprocessor',
    'default_hooks',
    'default_scope',
    'efficient_conv_bn_eval',
    'env_cfg',
    'experiment_name',
    'find_unused_parameters',
    'load_from',
    'log_level',
    'log_processor',
    'model',
    'model_wrapper_cfg',
    'optim_wrapper',
    'param_scheduler',
    'randomness',
    'resume',
    'sync_bn',
    'test_cfg',
    'test_dataloader',
    'test_evaluator',
    'train_cfg',
    'train_dataloader',
    'val_cfg',
    'val_dataloader',
    'val_evaluator',
    'visualizer',
    'work_dir',
}
"""Entries of a config that MMEngine's runner and the tools here read. All other entries are helper
variables of config files, without effect once the files have been read."""

_USUAL = ('model.KEY', 'train_dataloader.KEY', 'test_dataloader.KEY')
"""Examples for the error message if no similar entry is found."""

_WRONG_ENTRY = re.compile(
    r' registry\. |must contain the key "type"|got an unexpected keyword argument|'
    r'missing \d+ required '
)
"""Messages of registries, and of Python, on an entry that names no class or does not fit it."""


_OTHER_KIND = re.compile(r'because (\w+) is a dict in the child config .*\'(\w+)\'> in base')
"""MMEngine's message on a dictionary that cannot be merged with what the base file has there."""


def read_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and merge ``--cfg-options`` into it.

    Raises:
        InputError: If there is no such config, it or an option cannot be read, or an option is for
            an entry that nothing reads.
    """
    require_config(path)
    try:
        cfg = Config.fromfile(path)
    # A config is a program that the user wrote: it may fail in every way.
    except Exception as error:
        _require_same_kind(error, f'config {path} cannot be read')
        raise InputError(
            f'config {path} cannot be read ({type(error).__name__}: {one_line(error)}), '
            'correct the file'
        ) from error
    _require_read(cfg, options or {})
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (KeyError, TypeError, AttributeError) as error:
        _require_same_kind(error, f'--cfg-options {options} do not fit {path}')
        raise InputError(f'--cfg-options {options} do not fit {path}: {one_line(error)}') from error
    return cfg


def _require_same_kind(error: Exception, what: str) -> None:
    """Raise InputError with MMEngine's way out, which stands behind all values in its message."""
    if found := _OTHER_KIND.search(str(error)):
        raise InputError(
            f'{what}: {found[1]} is a dictionary and in the base {found[2]}, which cannot be '
            'merged, add _delete_=True to the dictionary'
        ) from error


def _require_read(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise InputError for an option that would change nothing; suggest similar entries."""
    for option, value in options.items():
        name, _, rest = option.partition('.')
        if name in _READ:
            continue
        meant = [f'{read}.{rest}'.rstrip('.') for read in get_close_matches(name, _READ, 1, 0.8)]
        last = f'.{option.split(".")[-1]}'
        alike = [entry for entry in _dotted(cfg.to_dict()) if entry.endswith(last)]
        meant += [entry for entry in alike if entry.split('.')[0] in _READ]
        meant = list(dict.fromkeys(meant))
        raise InputError(
            f'--cfg-options {option}={value} would change nothing, since no run reads {name!r}, '
            f'set what a run reads, such as {listed(meant or _USUAL, 4)}'
        )


def _dotted(node: Any, name: str = '') -> Iterator[str]:
    """List the names of all entries within ``node`` as ``--cfg-options`` takes them."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    for key, inner in items:
        own = f'{name}.{key}' if name else str(key)
        yield own
        yield from _dotted(inner, own)


def read_stored_config(text: str, source: str | Path) -> Config:
    """Read the config that a checkpoint holds as text; runs none of it.

    MMEngine writes assignments of plain values, which are parsed as such. A registry imports and
    calls anything that a ``type`` with dots names, so only registered classes are allowed.

    Args:
        text: The stored config.
        source: The checkpoint, for error messages.

    Raises:
        InputError: If the text is anything else.
    """
    entries = {}
    try:
        for line in ast.parse(text).body:
            if not (isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)):
                raise ValueError('a statement that sets no name')
            entries[line.targets[0].id] = ast.literal_eval(_DictCalls().visit(line.value))
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
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
    """Turn ``dict(a=1)`` into ``{'a': 1}``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name != 'dict' or len(node.args) > 1:
            raise ValueError(f'a call of {name}')
        positional = node.args[0] if node.args else ast.Dict([], [])
        if not isinstance(positional, ast.Dict) or any(key.arg is None for key in node.keywords):
            raise ValueError('a dict of no plain entries')
        return ast.Dict(
            [*positional.keys, *(ast.Constant(key.arg) for key in node.keywords)],
            [*positional.values, *(key.value for key in node.keywords)],
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
    that a library refuses while it builds its own objects, and packages that it then lacks. Other
    exceptions pass.

    Args:
        config: The config file, for the error message.
    """
    try:
        yield
    except InputError:
        raise
    except (
        AssertionError,
        ImportError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        names = [frame.f_code.co_name for frame in frames]
        # KeyError shows its text in quotes.
        text = str(error.args[0]) if error.args else ''
        wrong_entry = 'build_from_cfg' in names and _WRONG_ENTRY.search(text)
        if names[-1] == 'build_from_cfg' and not isinstance(frames[-1].f_locals['cfg'], Mapping):
            got = frames[-1].f_locals['cfg']
            sentence = f'{got!r} stands where a dictionary with a type is expected'
        elif wrong_entry:
            sentence = text.split('. Please check')[0]
            scope = text.partition('.')[0]
            if scope in _LIBRARIES and find_spec(scope) is None:
                sentence += f' because {scope} is not installed'
        else:
            builder = next((n for n, name in enumerate(names) if _BUILDER.match(name)), None)
            if builder is None or not all(map(_of_library, frames[builder:])):
                raise
            sentence = f'{_built(frames)}: {one_line(error).rstrip(".")}'
        raise InputError(f'config {config}: {sentence}, correct that entry') from error


def require_schedule(cfg: Config) -> None:
    """Refuse settings whose errors MMEngine finds only during training, or never.

    Raises:
        InputError: If a length or an interval in ``train_cfg`` is no positive whole number, there
            is no such optimizer, its learning rate is no number, or no metric of ``val_evaluator``
            fits the name by which the best checkpoint is chosen.
    """
    for name in ('max_epochs', 'max_iters', 'val_interval'):
        require_whole(f'train_cfg.{name}', (cfg.get('train_cfg') or {}).get(name, 1), 1)
    from mmpose.registry import OPTIMIZERS

    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    kind = optimizer.get('type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        raise InputError(
            f'optim_wrapper.optimizer.type is {kind!r}, expected an optimizer of PyTorch or a '
            'registered one'
        )
    rate = optimizer.get('lr')
    if isinstance(rate, str | bool | list | tuple | Mapping):
        raise InputError(
            f'optim_wrapper.optimizer.lr must be a number, got {rate!r}, set it to one such as 1e-3'
        )
    _require_best_metric(cfg)


def _require_best_metric(cfg: Config) -> None:
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    chosen, evaluator = checkpoint.get('save_best'), cfg.get('val_evaluator')
    if not evaluator or not isinstance(chosen, str) or chosen == 'auto':
        return
    from mmpose.registry import METRICS

    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    prefixes = [
        metric.get('prefix') or getattr(METRICS.get(metric['type']), 'default_prefix', None)
        for metric in metrics
        if isinstance(metric, Mapping) and isinstance(metric.get('type'), str)
    ]
    # The names of a metric without a prefix are known only to itself.
    if len(prefixes) == len(metrics) and all(prefixes) and chosen.split('/')[0] not in prefixes:
        named = listed([metric['type'] for metric in metrics], 4)
        raise InputError(
            f'default_hooks.checkpoint.save_best is {chosen!r}, but the metrics of {named} begin '
            f'with {listed([f"{prefix}/" for prefix in prefixes], 4)}, set it to one of these'
        )


def require_label_files(cfg: Config, *splits: str) -> None:
    """Refuse missing data before the config is printed and a model is built.

    Datasets within others (``ConcatDataset``) are checked, too. Those of other projects look for
    their data when they are built.

    Args:
        cfg: The config.
        *splits: Splits whose dataloaders are checked: 'train', 'val', 'test'.

    Raises:
        InputError: If a dataset has no label files, or not the detected boxes that it is to read;
            it says where they should be.
    """
    from mmpose.registry import DATASETS

    for split in splits:
        for dataset in nested_datasets((cfg.get(f'{split}_dataloader') or {}).get('dataset')):
            kind = dataset.get('type')
            if isinstance(kind, str) and hasattr(DATASETS.get(kind), 'label_files'):
                built = DATASETS.build({**dataset, 'lazy_init': True, 'pipeline': []})
                built.label_files()
                if hasattr(built, 'require_bbox_file'):
                    built.require_bbox_file()


def _of_library(frame: FrameType) -> bool:
    package = str(frame.f_globals.get('__name__')).split('.')[0]
    return package in _LIBRARIES or package in sys.stdlib_module_names


def _built(frames: Sequence[FrameType]) -> str:
    """Name what was being built when an error was raised, innermost first."""
    for frame in reversed(frames):
        name = frame.f_code.co_name
        if name == 'build_from_cfg' and isinstance(frame.f_locals.get('obj_cls'), type):
            return frame.f_locals['obj_cls'].__name__
        if name in ('build_dataloader', 'build_train_loop', 'build_logger'):
            return name.removeprefix('build_').replace('_', ' ')
    return 'the runner'
