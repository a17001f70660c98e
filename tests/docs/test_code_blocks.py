"""Every block of code in README and docs works: it is run, or its command lines are parsed.

The blocks of a page are taken one after the other in a small copy of the repository that has the
files they name. What stands behind the fence says what is done with a block:

- ``python``: it is executed; if it only assigns, it is a config, whose classes take what it says;
- ``bash``: it is run by bash, and so are the commands that it calls, but for those of
  ``PARSED_ONLY`` and those that :func:`needs_more` finds: their own parsers parse them, and
  their configs are read with ``--cfg-options``; of pip and make what is named exists;
- ``text``: a layout, an output, a reference.

Everything else fails.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache, reduce
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
import tomllib

from stdpose_mm.cli.main import main as stdpose
from stdpose_mm.cli.parser import CliParser
from stdpose_mm.onnx_session import is_openvino_bfloat16_faster
from support.classes import arguments_of
from support.doc_blocks import PAGES, Block, Call, blocks_of, calls_of
from support.doc_sandbox import make_sandbox
from support.paths import ROOT

PARSED_ONLY = {
    'benchmark_propagation': 'all methods at six intervals; tests of its own run it',
    'train': 'minutes to days',
    'learn': 'minutes',
    'test': 'needs what training leaves',
    'make_synthetic_posetrack': 'minutes',
    'review': 'runs until it is ended',
}
"""Verb or script -> how long it takes, or what it needs."""

ELSEWHERE = (
    *('--launcher', '--model', '--fuser', '--learn', '--evidence'),
    *('--pose', '--pose-config', '--pose-onnx', '--pose-tflite', '--pose-results'),
    *('--track-results', '--calibration'),
)
"""Options that ask for several processes, trained networks or several cameras."""

MODEL = 'config.py'
"""The config that stands for the reader's own; its network is tiny here."""

TRAINING = """
model['frame_head_loss_weight'] = 1.0
load, box, crop, target, pack = test_dataloader['dataset']['pipeline']
steps = [dict(type='SeedSample'), load, box, crop, {**target, 'test_mode': False}, pack]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=steps))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.001))
del load, box, crop, target, pack, steps
"""
"""What the config of the tiny model lacks to be trained with."""

NUM_FRAMES = 18
LENGTHS = {'propagation.md': 43}
"""Page -> frames of the clip, where the page names late ones."""

pages = pytest.mark.parametrize(
    'page',
    [page for page in PAGES if blocks_of(page)],
    ids=lambda page: str(page.relative_to(ROOT)),
)


@pages
def test_every_block_says_what_it_is(page):
    unknown = [
        block for block in blocks_of(page) if block.language not in ('python', 'bash', 'text')
    ]
    assert not unknown


@pytest.fixture(scope='module')
def template(
    tmp_path_factory: pytest.TempPathFactory, model_files: tuple[Path, Path]
) -> Callable[[int], Path]:
    """The sandbox whose clip has some number of frames, made at its first use."""

    @cache
    def make(num_frames: int) -> Path:
        root = make_sandbox(tmp_path_factory.mktemp('docs'), num_frames)
        config, checkpoint = model_files
        for name in (MODEL, 'configs/stdpose_base_estimation_posetrack17.py'):
            (root / name).write_text(config.read_text() + TRAINING)
        for name in ('weights.pth', 'best.pth'):
            shutil.copy(checkpoint, root / name)
        for name in ('rtmdet.onnx', 'rtmdet_nano_person.onnx'):
            write_detector(root / name)
        return root

    return make


def link_or_copy(source: str, target: str) -> None:
    """Link configs and pictures, of which there are hundreds and which nothing changes in place."""
    if source.endswith(('.jpg', '.py')):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def sandbox(
    page: Path,
    template: Callable[[int], Path],
    straight_auto: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.engine import config_files

    folder = tmp_path / 'clone'
    num_frames = LENGTHS.get(page.name, NUM_FRAMES)
    shutil.copytree(template(num_frames), folder, symlinks=True, copy_function=link_or_copy)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(config_files, 'config_folder', lambda: folder)
    # It takes minutes; the arguments are checked.
    monkeypatch.setattr(VideoPosePropagator, 'learn', create_autospec(VideoPosePropagator.learn))
    return folder


@pytest.mark.slow
@pages
def test_blocks_work(page, sandbox, capsys):
    # README labels COCO's joints; the labels of the sandbox have three.
    num_joints = 17 if page.name == 'README.md' else 3
    names = {'keypoints': np.linspace((12.0, 8.0), (28.0, 32.0), num_joints)}
    for block in blocks_of(page):
        place = f'{page.relative_to(ROOT)}, line {block.line}'
        try:
            if block.language == 'python':
                run_python(block, place, names, sandbox)
            if block.language == 'bash':
                for call in calls_of(block.text, sandbox):
                    run_call(call)
        except (Exception, SystemExit) as error:
            raise AssertionError(f'{place}: {error}\n{capsys.readouterr().err}') from error


def run_python(block: Block, place: str, names: dict[str, Any], folder: Path) -> None:
    """Execute a block, or read it as a config."""
    tree = ast.parse(block.text)
    if not all(isinstance(node, ast.Assign) for node in tree.body):
        exec(compile(tree, place, 'exec'), names)
        return
    from mmengine.config import Config

    path = folder / 'configs' / 'block.py'
    path.write_text(block.text)
    cfg = Config.fromfile(path)
    assigned = {target.id for node in tree.body for target in node.targets}
    for name in assigned - {'_base_'}:
        entries = cfg[name] if isinstance(cfg[name], list) else [cfg[name]]
        for entry in (entry for entry in entries if isinstance(entry, dict)):
            assert 'type' not in entry or {*entry} - {'type'} <= arguments_of(entry['type'])


def run_call(call: Call) -> None:
    """Run a command, or parse it."""
    command, *rest = call.words
    if command == 'pip':
        return check_installation(rest)
    if command == 'git':
        # Whoever publishes the repository knows its address.
        assert rest == ['clone', 'ADDRESS', 'stdpose_mm']
        return None
    if command == 'make':
        done = subprocess.run(['make', '-n', *rest], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return None
    if call.words[1:2] == ['-m'] and call.words[2].startswith('research.'):
        # Its own tests run it.
        assert ROOT.joinpath(*call.words[2].split('.')).with_suffix('.py').is_file(), call.words[2]
        return None
    if call.words[:2] == ['python', '-']:
        exec(compile(call.piped, 'standard input', 'exec'), {'__name__': '__main__'})
        return None
    start, name, arguments = program(call.words)
    if name in PARSED_ONLY or needs_more(arguments):
        return check_arguments(parse(start, arguments), call.words)
    code = start(arguments)
    assert code == 0, f'{" ".join(call.words)} ended with {code}'
    return None


Start = Callable[[list[str]], int]


def program(words: list[str]) -> tuple[Start, str, list[str]]:
    """What a command starts: the function, its name, and its arguments."""
    if words[0] == 'stdpose':
        return stdpose, words[1], words[1:]
    if words[0] == 'srun':
        words = words[words.index('python') :]
    if words[0] == 'torchrun' or words[1:3] == ['-m', 'torch.distributed.run']:
        from torch.distributed.run import get_args_parser

        args = get_args_parser().parse_args(words[1 if words[0] == 'torchrun' else 3 :])
        words = ['python', args.training_script, *args.training_script_args]
    assert words[0] == 'python', words
    script, *arguments = [word for word in words[1:] if word != '-u']
    assert Path(script).is_file(), f'no {script}'
    return (lambda arguments: run_script(script, arguments)), Path(script).stem, arguments


def run_script(script: str, arguments: list[str]) -> int:
    """Run a script in this process; its exit code."""
    before, sys.argv = sys.argv, [script, *arguments]
    try:
        runpy.run_path(script, run_name='__main__')
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def needs_more(arguments: list[str]) -> bool:
    """Whether there are other models than the tiny one, several processes, or optional formats,
    or it computes in bfloat16, in which not every processor is faster.
    """
    named = {after for word, after in pairwise(arguments) if word == '--config'}
    named |= {word for word in arguments if word.startswith('configs/')}
    # What `stdpose learn` would have written.
    named |= {'network.onnx'} & {*arguments}
    is_optional = any(word.endswith('.slp') for word in arguments) and not find_spec('sleap_io')
    options = {word.partition('=')[0] for word in arguments}
    if 'bfloat16' in arguments:
        is_optional |= find_spec('openvino') is None or not is_openvino_bfloat16_faster()
    return is_optional or not named <= {MODEL} or not options.isdisjoint(ELSEWHERE)


class Parsed(Exception):  # noqa: N818
    """The parser has parsed."""

    def __init__(self, namespace: argparse.Namespace) -> None:
        super().__init__()
        self.namespace = namespace


def parse(start: Start, arguments: list[str]) -> argparse.Namespace:
    """Let a command parse its arguments, and stop it."""

    def stopping(kind: type[argparse.ArgumentParser]) -> Callable[..., None]:
        parse_args = kind.parse_args

        def stop(self: argparse.ArgumentParser, *given: Any) -> None:
            raise Parsed(parse_args(self, *given))

        return stop

    with pytest.MonkeyPatch.context() as patch:
        for kind in (CliParser, argparse.ArgumentParser):
            patch.setattr(kind, 'parse_args', stopping(kind))
        try:
            code = start(arguments)
        except Parsed as parsed:
            return parsed.namespace
    raise AssertionError(f'{arguments} ended with {code}')


def check_arguments(args: argparse.Namespace, words: list[str]) -> None:
    """Check that the repository's files exist, and that options of configs are entries of them."""
    named = {part for word in words for part in re.split('[:=,]', word)}
    configs = {name for name in named if re.match(r'(tools|configs|demo|docs)/', name)}
    assert all(Path(name).exists() for name in configs), f'missing of {configs}'
    options = [pair.partition('=')[0] for pair in vars(args).get('cfg_options') or []]
    for name in (name for name in configs if name.startswith('configs/')):
        cfg = read_config(name, Path(name).read_text(encoding='utf-8'))
        for key in set(options) - {'load_from'}:
            *parents, last = key.split('.')
            parent = reduce(entry_of, parents, cfg)
            assert last in parent or last in arguments_of(parent['type']), f'{name} has no {key}'


@cache
def read_config(name: str, _text: str) -> Any:
    """Read a config once for all sandboxes in which it says the same."""
    from mmengine.config import Config

    return Config.fromfile(name)


def entry_of(cfg: Any, key: str) -> Any:
    """An entry of a config by its name or, in a list, its position."""
    return cfg[int(key)] if isinstance(cfg, (list, tuple)) else cfg[key]


def check_installation(words: list[str]) -> None:
    """Check that what pip is to install is there."""
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    assert words[0] == 'install'
    for word in words[1:]:
        if extra := re.fullmatch(r'\.\[(\w+)\]', word):
            assert extra[1] in project['optional-dependencies']
        else:
            assert word in ('.', '-r') or Path(word).is_file(), f'pip install {word}'


def write_detector(path: Path) -> None:
    """A network that finds the same two people everywhere, in the form of RTMDet."""
    import onnx
    from onnx import TensorProto, helper

    boxes = np.array([[[8, 8, 40, 60, 0.9], [60, 40, 90, 79, 0.8]]], np.float32)
    constants = {'dets': boxes, 'labels': np.zeros((1, 2), np.int64)}
    nodes = [
        helper.make_node('Constant', [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in constants.items()
    ]
    inputs = [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, 96, 96])]
    outputs = [
        helper.make_tensor_value_info('dets', TensorProto.FLOAT, [1, 2, 5]),
        helper.make_tensor_value_info('labels', TensorProto.INT64, [1, 2]),
    ]
    graph = helper.make_graph(nodes, 'people', inputs, outputs)
    opsets = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
