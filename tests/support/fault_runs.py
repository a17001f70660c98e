"""Commands with a fault in each phase: signals, and a disk that is full at some size of a file.

``python tests/support/fault_runs.py`` prints the table of all commands; a test runs a part of it.
``python tests/support/fault_runs.py 4 learn review`` tries these two commands at 4 moments each.
Every run is a fork of this process, which starts no thread. A run is right if

- the inputs are unchanged, and what somebody wrote by hand at the output is there or in a copy;
- an edit or a save that the review page was told of is on the disk;
- every output is complete or absent, and nothing else lies beside the outputs (but after a kill);
- the last line on stderr is a sentence, and no line is of a traceback;
- the same command then works, its outputs are those of a run without a fault, and no unfinished
  file is left.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener

import numpy as np

from stdpose_mm.cli import main
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.posetrack_videos import GOLDEN
from support.tools import load_tool

COMMANDS = {
    'convert': 'convert labels.json {out}.json --to coco',
    'convert to a folder': 'convert labels.json {out} --to openpose',
    'propagate': 'propagate clip.mkv labels.json --out {out}.json --method linear --save-video '
    '{out}.mp4',
    'propagate with a report': 'propagate clip.mkv labels.json --out {out}.json --method flow '
    '--report {out}.html',
    'propagate several': 'propagate clips labels --out {out} --method linear',
    'infer': 'infer clip.mkv --pose-onnx dot.onnx --boxes boxes.txt --out {out}.json --save-video '
    '{out}.mp4',
    'evaluate': 'evaluate truth truth --out {out}.json',
    'queries': 'queries clip.mkv labels.json --out {out}.npz',
    'plan': 'plan clip.mkv',
    'check': 'check labels.json --out {out}.json',
    'learn': 'learn dots.mkv dots.json --out {out}.onnx --minutes 10',
    'review': 'review clip.mkv labels.json --out {out}.json --project {out}.journal '
    '--method linear --no-browser',
    'train': 'train toy.py --work-dir {out}',
    'test': 'test toy.py toy.pth --out {out}.json --dump {out}.pkl --work-dir {out}.logs',
    'export': 'export tiny.py tiny.pth {out}',
    'generate clips': 'dataset_converters/make_synthetic_posetrack {out} --train-videos 1 '
    '--val-videos 1 --frames 3 --width 96 --height 64 --workers 1',
    'from PoseTrack17': 'dataset_converters/posetrack17_to_posetrack18 annolists {out}',
    'split videos': 'dataset_converters/split_videos labels {out} --val-share 0.5',
}
"""Name -> command line; a name with a slash is a tool's."""

_NEEDS_TORCH = ('learn', 'train', 'test', 'export')

_OF_ONE_RUN = re.compile(r'[0-9]{8}_[0-9]{6}|/last_checkpoint$')
"""In the names of MMEngine's logs, which are as long as a run has lasted."""

_TOLD = 'told the page: '

SIGNALS = {'SIGINT': 130, 'SIGTERM': 143, 'SIGHUP': 129, 'SIGKILL': None}
"""Signal -> exit code of a command that it ends."""

NO_ROOM = 'no room'
"""The system refuses to write more than some bytes to any file."""

BY_HAND = 'written by hand'
OUT = 'result'


class Run(NamedTuple):
    """How a run ended: its exit code (minus the signal that killed it), and what it printed."""

    code: int
    errors: list[str]


def write_inputs(folder: Path) -> None:
    """Write a video of 12 frames and labels of two people in three of them."""
    places = np.array([[20.0, 16], [76, 50]])
    pictures = []
    for frame in range(12):
        picture = np.full((80, 120, 3), 40, np.uint8)
        for x, y in (places + frame).astype(int).tolist():
            picture[y : y + 12, x : x + 12] = 220
        pictures.append(picture)
    write_video(folder / 'clip.mkv', pictures, fps=10)
    persons = [
        PersonLabel(frame, place + frame + [[0, 0], [10, 0], [0, 10]], [2, 2, 2], person)
        for frame in (0, 5, 11)
        for person, place in enumerate(places)
    ]
    frames = tuple(VideoFrame(n, width=120, height=80) for n in range(12))
    names = ('head', 'left_hand', 'right_hand')
    labels = VideoLabels('clip', Skeleton(names, ((0, 1), (0, 2))), frames, tuple(persons))
    write_labels(labels, folder / 'labels.json')
    for name in ('a', 'b'):
        write_video(folder / 'clips' / f'{name}.mkv', pictures, fps=10)
        write_labels(labels, folder / 'labels' / f'{name}.json')
    rows = [f'{n},1,{20 + n},{16 + n},20,20,1,-1,-1,-1\n' for n in range(1, 13)]
    (folder / 'boxes.txt').write_text(''.join(rows))
    shutil.copytree(GOLDEN / 'pt17' / 'annolist', folder / 'annolists')


def write_training_inputs(folder: Path) -> None:
    """Write what can be trained on, tested and exported; make trainings short."""
    import torch
    from mmpose.registry import MODELS

    from stdpose_mm.labelling.learning import learner, network_trainer
    from support.coloured_dots import dots_labels, dots_video, write_losslessly
    from support.tiny_models import write_model_files
    from support.toy_command import CONFIG, TOY_PARTS

    # Its threads would be missing in the forks.
    torch.set_num_threads(1)
    network_trainer.BATCH_SIZE, learner.MAX_STEPS = 8, 4
    write_losslessly(folder / 'dots.mkv', dots_video(40))
    write_labels(dots_labels(range(0, 40, 4), 40), folder / 'dots.json')
    write_model_files(folder)
    (folder / 'command_toy_parts.py').write_text(TOY_PARTS)
    (folder / 'toy.py').write_text(re.sub('^experiment_name.*', '', CONFIG, flags=re.MULTILINE))
    sys.path.insert(0, str(folder))
    import_module('command_toy_parts')
    weights = MODELS.build({'type': 'CommandToyModel'}).state_dict()
    torch.save({'state_dict': weights}, folder / 'toy.pth')


def edit_in_page() -> None:
    """Let the server of this process be sent an edit and a save as by a page, then Ctrl-C."""
    from stdpose_mm.review_app.server import ListeningServer

    serve = ListeningServer.run
    joints = {'head': [30, 20, 2], 'left_hand': [40, 20, 2], 'right_hand': [30, 30, 2]}

    def visit(address: str) -> None:
        page = build_opener(HTTPCookieProcessor())
        base = address.partition('/?')[0]

        def ask(path: str, body: dict[str, Any] | None = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            headers = {'Origin': base, 'Content-Type': 'application/json'}
            place = f'{base}/api/videos/0{path}'
            return json.load(page.open(Request(place, data, headers), timeout=60))

        try:
            page.open(address, timeout=60).read()
            edit = {'type': 'set_joints', 'person': 1, 'frame': 8, 'joints': joints}
            revision = ask('')['revision']
            ask('/edits', {'id': 'one', 'page': 'a', 'revision': revision, 'edit': edit})
            os.write(2, f'{_TOLD}edited\n'.encode())
            ask('/save', {})
            os.write(2, f'{_TOLD}saved\n'.encode())
        except HTTPError as error:
            os.write(2, f'{_TOLD}{error.read().decode()}\n'.encode())
        except (OSError, HTTPException):
            # The server has been ended.
            return
        os.kill(os.getpid(), signal.SIGINT)

    def run(server: ListeningServer) -> None:
        threading.Thread(target=visit, args=[server.access.address], daemon=True).start()
        serve(server)

    ListeningServer.run = run  # type: ignore[method-assign]


def command_of(arguments: Sequence[str]) -> Callable[[Sequence[str]], int]:
    """Load the command of a command line, with all that it imports, before it is forked."""
    if '/' not in arguments[0]:
        import_module(f'stdpose_mm.cli.{arguments[0]}')
        return main.main
    tool = load_tool(arguments[0]).main
    return lambda line: tool(line[1:])


def run(arguments: Sequence[str], arrange: Callable[[], object] = lambda: None) -> Run:
    """Run a command in a child of this process.

    Args:
        arguments: Its command line.
        arrange: Called in the child before the command begins.
    """
    command = command_of(arguments)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writing, 2)
        sys.stdout, sys.stderr = open(1, 'w', closefd=False), open(2, 'w', closefd=False)  # noqa: SIM115
        code = 99
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # A run that hangs is ended, and is wrong.
            signal.alarm(300)
            arrange()
            code = command(arguments)
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        finally:
            sys.setprofile(None)
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with open(reading, encoding='utf-8', errors='replace') as errors:
        lines = errors.read().splitlines()
    return Run(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), lines)


def at_call(number: int, act: Callable[[], object]) -> None:
    """Do something at the call of this number of a function of the package."""
    calls = [0]

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == 'call' and 'stdpose_mm' in frame.f_code.co_filename:
            calls[0] += 1
            if calls[0] == number:
                sys.setprofile(None)
                act()

    sys.setprofile(count)


def at_end(act: Callable[[], object]) -> None:
    """Do something before a run ends."""
    leave = os._exit

    def end(code: int) -> None:
        sys.setprofile(None)
        act()
        leave(code)

    os._exit = end  # type: ignore[assignment]


def _write_modules(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text('\n'.join(sys.modules))


def count_calls(arguments: Sequence[str]) -> int:
    """Count the calls of functions of the package in a run of a command."""
    reading, writing = os.pipe()

    def arrange() -> None:
        calls = [0]

        def count(frame: FrameType, event: str, argument: object) -> None:
            calls[0] += event == 'call' and 'stdpose_mm' in frame.f_code.co_filename

        at_end(lambda: os.write(writing, str(calls[0]).encode()))
        sys.setprofile(count)

    run(arguments, arrange)
    os.close(writing)
    with open(reading) as told:
        return int(told.read())


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> content of all files but the records of several videos."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and '.stdpose' not in path.parts
    }


def is_whole(name: str, content: bytes, expected: bytes) -> bool:
    """Tell whether an output is that of an undisturbed run, but for what differs between runs."""
    if name.endswith('.journal'):
        return all(isinstance(json.loads(line), dict) for line in content.splitlines())
    plain = [re.sub(rb'"frames_per_second": [0-9.]+', b'', data) for data in (content, expected)]
    if name.endswith(('.onnx', '.pth')) and plain[0] != plain[1]:
        # They hold the time, or what was learned until Ctrl-C.
        import onnx
        import torch

        try:
            if name.endswith('.onnx'):
                return bool(onnx.load_from_string(content))
            # MMEngine's checkpoints also hold the state of the run, which is not only tensors.
            return bool(torch.load(io.BytesIO(content), weights_only=False))
        # Both loaders raise various errors for a damaged file, which the table counts as half.
        except Exception as error:
            print(f'{name} cannot be read: {error!r}', file=sys.stderr)
            return False
    return plain[0] == plain[1]


class FaultTable:
    """Runs of commands with faults, in a folder of their own.

    Args:
        folder: An empty folder, which becomes the current one.
    """

    code: int
    """Exit code of an undisturbed run."""

    def __init__(self, folder: Path) -> None:
        os.chdir(folder)
        os.environ['STDPOSE_CACHE'] = str(folder / 'cache')
        self.folder = folder
        write_inputs(folder)
        write_labels_of_truth(folder)
        self.inputs = contents(folder)

    def try_command(self, line: str, faults: Iterable[str], points: int) -> dict[str, list[str]]:
        """Run a command with faults in all its phases.

        Args:
            line: The command.
            faults: ``SIGNALS`` and ``NO_ROOM``.
            points: Number of moments of a signal, and at most so many sizes of a file.

        Returns:
            Fault -> a text for each run: '' if it was right, else what was wrong.
        """
        arguments = line.format(out=OUT).split()
        if arguments[0] in _NEEDS_TORCH and not (self.folder / 'toy.py').exists():
            write_training_inputs(self.folder)
            self.inputs = contents(self.folder)
        if arguments[0] == 'review':
            edit_in_page()
        self._clear()
        modules = self.folder / 'cache' / 'modules.txt'
        first = run(arguments, lambda: at_end(lambda: _write_modules(modules)))
        # Runs fork from a process that has imported all that they need.
        for name in modules.read_text().split():
            with suppress(Exception):
                import_module(name)
        # The server of the review page ends by Ctrl-C.
        self.code = SIGNALS['SIGINT'] if arguments[0] == 'review' else 0
        assert first.code == self.code, first
        outputs = {n: c for n, c in contents(self.folder).items() if n not in self.inputs}
        ignored = re.compile(r'^cache/|/__pycache__/|' + _OF_ONE_RUN.pattern)
        outputs = {n: c for n, c in outputs.items() if not ignored.search(n)}
        self._clear()
        calls = count_calls(arguments)
        return {
            fault: [
                self._try(arguments, outputs, fault, arrange)
                for arrange in self._arrangements(fault, calls, points, outputs)
            ]
            for fault in faults
        }

    def _arrangements(
        self, fault: str, calls: int, points: int, outputs: dict[str, bytes]
    ) -> list[Callable[[], object]]:
        if fault == NO_ROOM:
            sizes = {0, 1} | {s for c in outputs.values() for s in (len(c) // 2, len(c) - 1)}
            of_points = np.linspace(0, len(sizes) - 1, min(points, len(sizes))).astype(int)
            return [
                lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                for size in (np.array(sorted(sizes))[of_points].tolist() if outputs else ())
            ]
        number = getattr(signal, fault)
        return [
            lambda call=call: at_call(call, lambda: os.kill(os.getpid(), number))
            # The first calls come before the command has begun.
            for call in np.linspace(max(10, calls // 100), calls - 1, points).astype(int).tolist()
        ]

    def _clear(self) -> None:
        for name in contents(self.folder):
            if name not in self.inputs:
                (self.folder / name).unlink()
        for path in sorted(self.folder.rglob('*'), reverse=True):
            if path.is_dir() and not os.listdir(path):
                path.rmdir()
        for record in self.folder.rglob('.stdpose/*'):
            record.unlink()

    def _try(
        self,
        arguments: list[str],
        outputs: dict[str, bytes],
        fault: str,
        arrange: Callable[[], object],
    ) -> str:
        self._clear()
        first = min(outputs, default='')
        # A file in a folder of several would rightly be refused.
        by_hand = first if first and '/' not in first and arguments[0] != 'review' else ''
        if by_hand:
            (self.folder / by_hand).write_text(BY_HAND)
        ended = run(arguments, arrange)
        problem = self._judge(ended, outputs, fault, by_hand)
        if problem:
            return problem
        again = run(arguments)
        if again.code != self.code:
            return f'then: {again}'
        left = contents(self.folder)
        if not all(name in left and is_whole(name, left[name], c) for name, c in outputs.items()):
            return 'then: other outputs'
        # In the cache, what was left goes when it is trimmed.
        unfinished = (n for n in left if '.partial.' in n and not n.startswith('cache/'))
        return next((f'then: {name}' for name in unfinished), '')

    def _judge(self, ended: Run, outputs: dict[str, bytes], fault: str, by_hand: str) -> str:
        found = contents(self.folder)
        changed = [name for name, content in self.inputs.items() if found.get(name) != content]
        if changed:
            return f'changed {changed}'
        if by_hand and BY_HAND.encode() not in found.values():
            return 'what was written by hand is lost'
        # What infer has done when it is interrupted says that it is not complete.
        is_incomplete = any(b'"complete": false' in content for content in found.values())
        for name, content in outputs.items():
            there = found.get(name, content)
            is_cut = name.endswith('.journal') and fault == 'SIGKILL'
            is_given = is_cut or is_incomplete or there == BY_HAND.encode()
            if not is_given and not is_whole(name, there, content):
                return f'half of {name}'
        edits = found.get(f'{OUT}.journal', b'').count(b'"set_joints"')
        if (f'{_TOLD}edited' in ended.errors) > edits:
            return 'an edit is lost'
        if f'{_TOLD}saved' in ended.errors and f'{OUT}.json' not in found:
            return 'a save is lost'
        code = 2 if fault == NO_ROOM else SIGNALS[fault]
        if ended.code not in (self.code, -signal.SIGKILL if code is None else code):
            return f'{ended}'
        if code is None or ended.code == 0:
            return ''
        errors = [line for line in ended.errors if not line.startswith(_TOLD)]
        if any('Traceback' in line for line in errors):
            return f'a traceback: {errors[-1]}'
        if not (errors and re.match(r'stdpose|\w+\.py: ', errors[-1])):
            return f'no sentence: {errors[-1:]}'
        return next((name for name in found if '.partial.' in name), '')


def write_labels_of_truth(folder: Path) -> None:
    """Write a folder of labels that can be evaluated, and a network with its description."""
    from stdpose_mm.io.labels.posetrack18 import write_official_posetrack18
    from support.comparison_videos import posetrack_video
    from support.pose_network_files import write_described_network

    (folder / 'truth').mkdir()
    write_official_posetrack18(
        posetrack_video('fast', range(3, 12), acceleration=4.0), folder / 'truth' / 'fast.json'
    )
    write_described_network(folder / 'dot.onnx')


def try_commands(
    commands: Sequence[str], faults: Sequence[str], points: int
) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield each command with the results of :meth:`FaultTable.try_command` in a new folder."""
    for command in commands:
        with tempfile.TemporaryDirectory() as folder:
            yield command, FaultTable(Path(folder)).try_command(COMMANDS[command], faults, points)
            os.chdir('/')


def print_table(commands: Sequence[str], points: int) -> int:
    """Print the table; return the number of runs that were wrong."""
    faults = [*SIGNALS, NO_ROOM]
    print(f'| command | {" | ".join(faults)} |\n|---|{"---|" * len(faults)}')
    wrong: list[str] = []
    for command, results in try_commands(commands, faults, points):
        cells = [f'{sum(not p for p in of)} of {len(of)}' if of else '-' for of in results.values()]
        print(f'| {command} | {" | ".join(cells)} |', flush=True)
        wrong += [f'{command}, {f}: {p}' for f, of in results.items() for p in of if p]
    print('\n'.join(wrong))
    return len(wrong)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--json']:
        print(json.dumps(dict(try_commands(**json.loads(sys.argv[2])))))
    else:
        given = sys.argv[2:] or [*COMMANDS]
        sys.exit(print_table(given, int(sys.argv[1]) if sys.argv[1:] else 12) > 0)
