"""No command runs what a file of weights names, whichever argument the file is given as.

The arguments are found in the parsers, so that those of a new command are tried too.
"""

from __future__ import annotations

import ast
import re
import shutil
from argparse import Action
from pathlib import Path

import pytest
from test_every_command_guards_its_outputs import main_of, parsers
from test_train_and_test import CONFIG as TOY_CONFIG
from test_train_and_test import TOY_PARTS

from stdpose_mm.cli.parser import CliParser
from support.bare_onnx import simcc_network
from support.malicious_files import MALICIOUS
from support.paths import ROOT
from support.small_configs import DETECTOR

pytestmark = pytest.mark.slow

WEIGHTS = re.compile(r'checkpoint|weights|fuser|\.pth', re.IGNORECASE)
"""What the name, the placeholder or the help of an argument for weights has in it."""

CONFIGS = dict.fromkeys(('train', 'test'), 'toy.py')
"""Commands whose config holds data, too -> such a config."""

POSE_CONFIG = 'rtmpose-t_8xb256-420e_coco-256x192'
"""A model of MMPose."""

COMPANIONS: dict[tuple[str, str], list[str]] = {
    ('propagate', 'det_checkpoint'): [
        *('--boxes', 'detector', '--detector', 'det.py'),
        *('--config', 'model.py', '--checkpoint', 'good.pth', '--method', 'stdpose'),
    ],
    ('propagate', 'checkpoint'): ['--config', 'model.py'],
    ('propagate', 'flow_weights'): ['--method', 'flow'],
    ('propagate', 'pose_checkpoint'): ['--pose-config', POSE_CONFIG],
    ('review', 'checkpoint'): ['--config', 'model.py'],
    ('review', 'pose_checkpoint'): ['--pose-config', POSE_CONFIG],
    ('review', 'det_checkpoint'): [
        *('--detector', 'det.py', '--pose-onnx', 'pose.onnx=rtmpose-coco')
    ],
    ('infer', 'det_checkpoint'): [
        *('--config', 'model.py', '--checkpoint', 'good.pth', '--detector', 'det.py')
    ],
    ('infer', 'pose_checkpoint'): ['--pose-config', POSE_CONFIG, '--boxes', 'labels.json'],
    ('infer', 'checkpoint'): ['--config', 'model.py', '--boxes', 'labels.json'],
    ('analysis_tools/benchmark_propagation', 'checkpoint'): ['--config', 'model.py'],
}
"""Command and argument -> what must be given for the file to be read."""

OPTIONS = {
    '--frames': ['8'],
    '--size': ['96', '80'],
    '--interval': ['7'],
    '--image-root': ['.'],
    '--longer': ['0'],
    '--no-memory': [],
}
"""What commands are given if they have such an option, so that they soon come to the weights."""

FORMS = {'evidence': 'x=:bad.pth'}
"""Name of an argument -> its value, where that is more than the name of the file."""


def takes_weights(parser: CliParser, action: Action) -> bool:
    text = f'{action.dest} {action.metavar} {action.help}'
    return (
        WEIGHTS.search(text) is not None
        and action.dest not in parser.outputs
        # Not flags, words of a list or numbers.
        and action.nargs != 0
        and not action.choices
        and action.type in (None, str, Path)
    )


def weights_arguments() -> list[tuple[str, str, str]]:
    """Each argument that takes weights: command, name of the argument, value."""
    return [
        (name, action.dest, FORMS.get(action.dest, 'bad.pth'))
        for name, parser in parsers().items()
        for action in parser._actions
        if takes_weights(parser, action)
    ]


@pytest.fixture
def marker(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model_files: tuple[Path, Path],
    folder: Path,
    movie: Path,
    label_file: Path,
) -> Path:
    """What a payload makes; in the folder of the test lies everything that commands are given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    shutil.copy(model_files[0], 'model.py')
    shutil.copy(model_files[1], 'good.pth')
    Path('det.py').write_text(DETECTOR)
    Path('pose.onnx').write_bytes(simcc_network(17))
    Path('command_toy_parts.py').write_text(TOY_PARTS)
    Path('toy.py').write_text(TOY_CONFIG)
    marker = tmp_path / 'payload_was_here'
    MALICIOUS['meta'](Path('bad.pth'), marker)
    return marker


def command_line(name: str, parser: CliParser, dest: str, value: str) -> list[str]:
    """What a command needs, and an argument with a value."""
    given = {
        'inputs': ['clip.mp4', 'labels.json'] if name == 'propagate' else ['clip.mp4'],
        'video': ['clip.mp4'],
        'labels': ['labels.json'],
        'config': [CONFIGS.get(name, 'model.py')],
        'checkpoint': ['good.pth'],
        'det_config': ['det.py'],
        'folder': ['exported'],
        'work_dir': ['run'],
        'out': ['out' if parser.outputs['out'].is_folder else 'out.json']
        if 'out' in parser.outputs
        else [],
        'out_dir': ['out'],
        'trained_on': ['clips'],
    }
    given[dest] = [value]
    places, options = [], [*COMPANIONS.get((name, dest), [])]
    for action in parser._actions:
        if action.dest != dest and not action.required:
            known = [option for option in action.option_strings if option in OPTIONS]
            options += [part for option in known for part in (option, *OPTIONS[option])]
        elif action.option_strings:
            options += [action.option_strings[-1], *given[action.dest]]
        else:
            places += given[action.dest]
    return [*places, *options]


@pytest.mark.parametrize(('name', 'dest', 'value'), weights_arguments())
def test_weights_that_a_command_is_given(run_main, marker, name, dest, value):
    words = command_line(name, parsers()[name], dest, value)

    code, _, lines = run_main(main_of(name), *words)

    assert not marker.exists()
    assert (code, len(lines)) == (2, 1), lines
    refusals = (
        'bad.pth holds shutil.copyfile',
        'bad.pth is not a network that onnxruntime can run',
    )
    assert any(refusal in lines[0] for refusal in refusals), lines


UNPICKLERS = {'torch': {'load'}, 'pickle': {'load', 'loads', 'Unpickler'}, 'joblib': {'load'}}
"""Module -> what in it unpickles."""


def unpickled(path: Path) -> list[str]:
    """List the places of a module that read pickles."""
    places = []
    for node in ast.walk(ast.parse(path.read_text())):
        called = getattr(node, 'func', None)
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            asks = [k.arg for k in node.keywords if k.arg == 'allow_pickle']
            if called.attr in UNPICKLERS.get(called.value.id, ()) or asks:
                places.append(f'{path.relative_to(ROOT)}:{node.lineno}')
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS:
            names = {name.name for name in node.names} & UNPICKLERS[node.module]
            places += [f'{path.relative_to(ROOT)}:{node.lineno}'] * bool(names)
    return places


def test_one_place_reads_pickles():
    """That holds for what no argument names, too: caches, and what lies in work folders."""
    files = [
        path for room in ('stdpose_mm', 'tools', 'demo') for path in (ROOT / room).rglob('*.py')
    ]
    places = [place for path in files for place in unpickled(path)]
    assert [place.partition(':')[0] for place in places] == ['stdpose_mm/checkpoint_files.py']
