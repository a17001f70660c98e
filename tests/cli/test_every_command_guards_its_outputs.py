"""Whatever a command writes is never what it was given."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stdpose_mm.cli.main import VERBS, load_verb
from stdpose_mm.cli.parser import CliParser
from support.paths import ROOT
from support.refusals import refusal
from support.tools import load_tool

TOOLS = {
    *('analysis_tools/benchmark_propagation', 'analysis_tools/browse_dataset'),
    *('analysis_tools/get_flops', 'dataset_converters/detect_people'),
    *('dataset_converters/posetrack17_to_posetrack18', 'dataset_converters/split_videos'),
    'dataset_converters/make_synthetic_posetrack',
}
WITHOUT_PARSER = {
    # Wrappers of a verb.
    *('propagate', 'infer', 'train', 'test', 'evaluate_posetrack', 'export_onnx', 'review'),
    'dataset_converters/convert_labels',
    # Nothing is given to them.
    *('misc/page_types', 'misc/setup_env'),
}

WRITES = (
    'out',
    'output',
    'out_dir',
    'folder',
    'dump',
    'save_video',
    'project',
    'report',
    'work_dir',
    'show_dir',
)
"""Names of arguments that say where to write."""


def parsers() -> dict[str, CliParser]:
    verbs = {verb: load_verb(verb).main.make_parser(verb) for verb in VERBS}
    return verbs | {name: load_tool(name).main.make_parser() for name in sorted(TOOLS)}


def test_every_tool_is_looked_at():
    there = {
        path.relative_to(ROOT / 'tools').with_suffix('').as_posix()
        for path in (ROOT / 'tools').rglob('*.py')
    }
    assert there == TOOLS | WITHOUT_PARSER


@pytest.mark.parametrize('name', [*VERBS, *sorted(TOOLS)])
def test_what_is_written_is_declared_as_an_output(name):
    parser = parsers()[name]
    written = {action.dest for action in parser._actions if action.dest in WRITES}
    assert written == set(parser.outputs)


def file_commands() -> list[tuple[str, str]]:
    """Each output that is a file, by command and name of the argument."""
    return [
        (name, dest)
        for name, parser in parsers().items()
        for dest, output in parser.outputs.items()
        if output.is_folder is not True
    ]


def main_of(name: str) -> Callable[[list[str]], int]:
    return load_verb(name).main if name in VERBS else load_tool(name).main


@pytest.mark.parametrize(('name', 'dest'), file_commands())
@pytest.mark.parametrize('link', [None, os.link, os.symlink], ids=['same', 'hard', 'symbolic'])
def test_no_input_is_overwritten(run_main, tmp_path, monkeypatch, name, dest, link):
    """Every other argument that can name a file is given the file that is to be written."""
    monkeypatch.chdir(tmp_path)
    parser = parsers()[name]
    suffix = {'save_video': '.mp4', 'report': '.html', 'dump': '.pkl'}.get(dest, '.json')
    target = Path(f'target{suffix}')
    victim = target if link is None else Path(f'victim{suffix}')
    victim.write_text('precious')
    if link is not None:
        link(victim, target)
    tried = 0
    for action in parser._actions:
        takes_text = action.type in (None, Path, str) and action.nargs != 0
        if action.dest in parser.outputs or action.choices or not takes_text:
            continue
        required = [
            other
            for other in parser._actions
            if other is not action
            and other.dest not in (dest, 'help')
            and (other.required or not other.option_strings)
            and other.nargs not in ('?',)
        ]
        line: list[str] = []
        for other in [*required, action]:
            value = str(victim) if other is action else f'{other.dest}.json'
            line += [other.option_strings[-1], value] if other.option_strings else []
        places = [other for other in parser._actions if not other.option_strings]
        own = next(other for other in parser._actions if other.dest == dest)
        words = [
            str(target if other is own else victim if other is action else f'{other.dest}.json')
            for other in places
        ]
        words += ['more.json'] if name == 'propagate' else []
        option = [own.option_strings[-1], str(target)] if own.option_strings else []
        code, _, lines = run_main(main_of(name), *words, *line, *option)
        assert (code, len(lines)) == (2, 1), (action.dest, lines)
        assert ', which would be overwritten' in lines[0], (action.dest, lines)
        tried += 1
    assert victim.read_text() == 'precious'
    assert target.is_symlink() == (link is os.symlink)
    assert tried


def identity(path):
    """Tell a file from another one; the time of the last access changes when a link is followed."""
    status = os.lstat(path)
    return status.st_ino, status.st_mode, status.st_mtime_ns


@pytest.mark.parametrize('kind', ['device', 'pipe', 'folder'])
@pytest.mark.parametrize(('name', 'dest'), [('convert', 'output'), ('evaluate', 'out')])
def test_only_regular_files_are_replaced(run_main, tmp_path, name, dest, kind):
    target = tmp_path / 'target.json'
    if kind == 'device':
        target.symlink_to('/dev/null')
    elif kind == 'pipe':
        os.mkfifo(target)
    else:
        target.mkdir()
    before = identity(target)
    given = ['in.json', target] if dest == 'output' else ['gt', 'pr', '--out', target]
    assert 'expected the path of a file to write' in refusal(run_main, main_of(name), *given)
    assert identity(target) == before
