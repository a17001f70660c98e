"""The ``stdpose`` command: its verbs, how little they import, and what it needs for labels."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from argparse import SUPPRESS
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from stdpose_mm.cli.main import VERBS, format_help, load_verb, main
from stdpose_mm.errors import installation_command
from stdpose_mm.version import __version__
from support.warm_commands import run_light

pytestmark = pytest.mark.slow

HEAVY = {'torch', 'mmengine', 'mmcv', 'mmpose', 'mmdet', 'scipy', 'av', 'matplotlib'}

# Prints the modules of HEAVY that a call of the command has imported, after its exit code.
SPY = f"""
import sys
from stdpose_mm.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as exit_:
    code = exit_.code
print(code, *sorted({HEAVY} & set(sys.modules)), file=sys.stderr)
"""


def python(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )


@pytest.mark.parametrize('verb', VERBS)
def test_help_imports_nothing_heavy(verb, tmp_path):
    done = run_light(SPY, verb, '--help', cwd=tmp_path)
    assert done.stdout.startswith(f'usage: stdpose {verb} ')
    assert done.stderr == '0\n'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('propagate v l --out o.json --method magic', "invalid choice: 'magic'"),
        ('propagate v l --out o.json --learn --method flow', 'give --method auto'),
        ('propagate --learn v.mp4 l --out o.json', "got 'v.mp4'"),
        ('infer v', 'required: --out'),
        (
            'infer v --config c --checkpoint w --out o.json',
            'the positions of the people are unknown',
        ),
        ('train', 'required: CONFIG'),
        ('train c.py --cfg-options lr', "got 'lr', expected key=value"),
        ('test c.py', 'required: CHECKPOINT'),
        ('evaluate no no --out m.json', 'no is not a folder'),
        ('convert a.json b.json --to xml', "invalid choice: 'xml'"),
        ('export c.py w.pth out --tolerance x', "invalid float value: 'x'"),
    ],
)
def test_an_argument_error_is_one_line_and_imports_nothing_heavy(arguments, sentence, tmp_path):
    line, modules = run_light(SPY, *arguments.split(), cwd=tmp_path).stderr.splitlines()
    assert line.startswith(f'stdpose {arguments.split()[0]}: ')
    assert sentence in line
    assert modules == '2'


def test_help_lists_every_verb_in_one_line(capsys):
    assert main(['--help']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith('  ')] == list(VERBS)
    assert all(len(line) <= 100 for line in lines)


def test_unknown_verb_is_one_line(capsys):
    assert main(['propogate']) == 2
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == "stdpose: unknown verb 'propogate', did you mean propagate?\n"
    assert main(['xyz']) == 2
    line = "stdpose: unknown verb 'xyz', choose one of demo, propagate, "
    assert capsys.readouterr().err.startswith(line)


@pytest.mark.parametrize('arguments', [['help'], ['--help'], ['-h'], []])
def test_help_without_a_verb_lists_the_verbs(arguments, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out == f'{format_help()}\n'


def test_help_of_a_verb_is_also_a_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(['help', 'plan'])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith('usage: stdpose plan ')


@pytest.mark.parametrize('option', ['--version', '-V'])
def test_version(option, capsys):
    assert main([option]) == 0
    assert capsys.readouterr().out == f'stdpose {__version__}\n'


def help_of(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main(['help', verb])
    return capsys.readouterr().out


def option_names(text: str) -> list[str]:
    return re.findall(r'^  (?:-h, )?(--[\w-]+)', text, re.MULTILINE)


@pytest.mark.parametrize(
    ('verb', 'first'),
    [
        ('propagate', ['--help', '--out', '--save-video', '--report']),
        ('infer', ['--help', '--out', '--save-video', '--format', '--pose']),
        ('review', ['--help', '--out', '--project', '--skeleton', '--pose']),
        ('convert', ['--help', '--from', '--to']),
        ('learn', ['--help', '--out', '--minutes']),
    ],
)
def test_help_begins_with_the_common_options_and_ends_with_examples(verb, first, capsys):
    text = help_of(verb, capsys)
    common = text.partition('\n\noptions:\n')[2].partition('\n\n')[0]
    assert option_names(common)[: len(first)] == first
    assert len(option_names(common)) <= 12
    examples = text.partition('\nexamples:\n')[2].splitlines()
    assert examples[0].startswith(f'  stdpose {verb} ')


@pytest.mark.parametrize('verb', VERBS)
def test_help_lists_each_option_once_and_no_wall_of_choices(verb, capsys):
    text = help_of(verb, capsys)
    parser = load_verb(verb).main.make_parser()
    listed = [
        action.option_strings[-1]
        for action in parser._actions
        if action.option_strings and action.help != SUPPRESS
    ]
    assert sorted(option_names(text)) == sorted(listed)
    assert not re.search(r'\{\w[^}]{80,}\}', text)


@pytest.mark.parametrize(
    ('verb', 'former', 'name'),
    [
        ('propagate', '--adapt=3', '--learn=3'),
        ('propagate', '--det-config=person', '--detector=person'),
        ('infer', '--det-config=person', '--detector=person'),
        ('review', '--det-config=person', '--detector=person'),
    ],
)
def test_the_former_name_of_an_option_still_works(verb, former, name):
    command = load_verb(verb).main
    needed = ['clip.mp4', 'labels.json'] + ['--out=dense.json'] * (verb != 'review')
    assert command.parse([*needed, former]) == command.parse([*needed, name])
    assert command.parse([*needed, name]) != command.parse(needed)


@pytest.mark.parametrize('verb', ['convert', 'infer', 'learn', 'propagate', 'review'])
def test_options_do_not_change_after_they_are_made(verb):
    options = load_verb(verb).main.parse(
        ['a', 'b'] + ['--out=c'] * (verb not in ('convert', 'review'))
    )
    with pytest.raises(FrozenInstanceError):
        options.device = 'cuda'


def test_propagates_a_folder_of_pictures(folder, label_file, tmp_path):
    out = tmp_path / 'dense.json'
    command = ['-m', 'stdpose_mm', 'propagate', folder, label_file, '--out', out]
    done = python(*command, '--method', 'linear', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(out.read_text())['images']) == 9


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make modules look as if they were not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        'importlib.util.find_spec', lambda name: None if name in modules else find_spec(name)
    )


@pytest.mark.parametrize(
    ('arguments', 'subject'),
    [
        ('propagate {folder} {labels} --out o --method stdpose', "method 'stdpo"),
        ('propagate {folder} {labels} --out o --config c --checkpoint w', 'a pose network'),
        (
            'propagate {folder} {labels} --out o --pose-config {labels} --pose-checkpoint {labels}',
            'pose network ',
        ),
        ('train c.py', 'a pose network'),
        ('export c.py w.pth out', 'the export'),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    arguments, subject, folder, label_file, monkeypatch, tmp_path, capsys
):
    without(monkeypatch, 'torch', 'mmpose', 'onnx')
    monkeypatch.chdir(tmp_path)
    assert main(arguments.format(folder=folder, labels=label_file).split()) == 2
    error = capsys.readouterr().err
    assert f': {subject}' in error
    assert 'PyTorch and MMPose' in error
    assert f'not installed: run `{installation_command("train")}`' in error
    assert error.count('\n') == 1
