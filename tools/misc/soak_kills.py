"""Kill commands at random moments, start them again, and check that no file is incomplete.

    python tools/misc/soak_kills.py work_dirs/soak --kills 50

Every command works on a small generated set in OUT. It is run once undisturbed; then again and
again it is killed (SIGKILL, with all its processes) after a random part of that time, and started
once more. After a kill every file there must be whole, and after the second start the results must
be those of the undisturbed run, with nothing temporary left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# One thread, so that compared runs compute in the same order; read at import of NumPy and PyTorch.
os.environ.setdefault('OMP_NUM_THREADS', '1')

from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.cli import infer, propagate, train
from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.cli.run_command import run_command
from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.io import write_json, write_text

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'stdpose_tiny_synthetic.py'
TRAIN_ITERS, STUDY_ITERS, LABEL_INTERVAL = 4, 2, 4
NUM_FRAMES = 12

Main = Callable[[list[str]], int]


@dataclass(frozen=True)
class Soaked:
    """Describe a command that is killed.

    Args:
        share: Number of its kills, relative to a command with share 1.
        arguments: Its command line for an output folder.
        results: Patterns of the files in the output folder that must be the same after kills.
    """

    share: int
    main: Main
    arguments: Callable[[Path, Path], list[str]]
    results: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run_command(make_parser(), soak, arguments)


def make_parser() -> OneLineParser:
    """Build the parser of the command line."""
    parser = OneLineParser('soak_kills.py', __doc__)
    parser.add_output(
        'out',
        is_folder=True,
        metavar='OUT',
        help='folder for everything that is written; it is emptied first',
    )
    parser.add_argument('--kills', type=positive, default=50, metavar='N', help='(%(default)s)')
    parser.add_argument(
        '--commands', nargs='+', choices=COMMANDS, default=list(COMMANDS), help='(all)'
    )
    parser.add_argument('--seed', type=seed, default=0, help='of the moments')
    return parser


def soak(args: argparse.Namespace) -> None:
    """Kill, start again and compare; print a line for each kill and the sums.

    Raises:
        InputError: If the folder holds other files, or a check failed.
    """
    require_packages('soak_kills.py', 'torch', 'mmpose')
    out: Path = args.out.resolve()
    _claim(out)
    # Imported before forking, so that the children need not; this starts no thread.
    import stdpose_mm.apis
    import stdpose_mm.training.pseudo_labels  # noqa: F401

    in_child(partial(make_inputs, out), out / 'inputs.log')
    if {'infer', 'pseudo'} & set(args.commands):
        in_child(partial(run_to_end, COMMANDS['train'], out, out / 'model'), out / 'model.log')
    expected: dict[str, dict[str, str]] = {}
    seconds: dict[str, float] = {}
    for name in args.commands:
        folder = out / f'{name}_undisturbed'
        started = time.monotonic()
        in_child(partial(run_to_end, COMMANDS[name], out, folder), out / f'{name}.log')
        seconds[name] = time.monotonic() - started
        expected[name] = summarize(COMMANDS[name], folder)
        print(f'{name}: {seconds[name]:.1f} s undisturbed, {len(expected[name])} results')
    draw = random.Random(args.seed)
    rounds = [name for name in args.commands for _ in range(COMMANDS[name].share)]
    wrong: list[str] = []
    killed = 0
    for number in range(args.kills):
        name = rounds[number % len(rounds)]
        folder = out / f'{name}_{number}'
        moment = draw.random() * seconds[name]
        problems, was_killed = kill_and_repeat(COMMANDS[name], out, folder, moment, expected[name])
        killed += was_killed
        wrong += [f'kill {number} of {name} after {moment:.2f} s: {text}' for text in problems]
        how = 'killed' if was_killed else 'ended before'
        print(f'{number + 1:3} {name:9} {how} at {moment:6.2f} s: {"; ".join(problems) or "fine"}')
        if not problems:
            shutil.rmtree(folder)
    print(f'{killed} of {args.kills} runs were killed, {len(wrong)} things were wrong')
    if wrong:
        raise InputError(f'{len(wrong)} things were wrong, the first: {wrong[0]}')


def _claim(out: Path) -> None:
    """Empty the folder of an earlier run; reject a folder with other files."""
    stamp = out / 'soak_kills.json'
    if out.exists() and any(out.iterdir()) and not stamp.is_file():
        raise InputError(f'{out} holds other files, give a new or empty folder')
    shutil.rmtree(out, ignore_errors=True)
    write_json(stamp, {'made_by': 'soak_kills.py'})


def make_inputs(out: Path) -> None:
    """Generate clips with dense labels, the same labels with gaps, and a study file."""
    from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset

    data = out / 'data'
    clips = ClipSettings(frames=NUM_FRAMES, width=128, height=96, people=(1, 1))
    write_dataset(data, train_videos=3, val_videos=1, settings=clips, workers=1)
    for file in sorted((data / 'annotations' / 'val').iterdir()):
        fields = json.loads(file.read_text('utf-8'))
        labelled = {image['id'] for image in fields['images'][::LABEL_INTERVAL]}
        fields['annotations'] = [a for a in fields['annotations'] if a['image_id'] in labelled]
        for image in fields['images']:
            image['is_labeled'] = image['id'] in labelled
        write_json(out / 'sparse' / file.name, fields)
    write_text(
        out / 'study.py',
        f"title = 'Soak'\nentries = [dict(name='one', config={str(CONFIG)!r})]\n",
    )


def _data_options(out: Path) -> list[str]:
    data = out / 'data'
    return [
        '--cfg-options',
        *(f'{split}_dataloader.dataset.data_root={data}' for split in ('train', 'val', 'test')),
        *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
        *(f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val', 'test')),
        f'val_evaluator.ann_file={data}/annotations/train',
        f'test_evaluator.ann_file={data}/annotations/val',
        'train_dataloader.batch_size=2',
        'default_hooks.checkpoint.interval=1',
        'default_hooks.checkpoint.max_keep_ckpts=1',
    ]


def _one_clip(out: Path) -> tuple[str, str]:
    """Return the pictures of the test clip and its labels with gaps."""
    (labels,) = (out / 'sparse').iterdir()
    return str(out / 'data' / 'images' / 'val' / labels.stem), str(labels)


def _model(out: Path) -> list[str]:
    return ['--config', str(CONFIG), '--checkpoint', str(out / 'model' / f'iter_{TRAIN_ITERS}.pth')]


def _propagate(out: Path, folder: Path) -> list[str]:
    files = [f'--{option}={folder / name}' for option, name in _PROPAGATED.items()]
    return [*_one_clip(out), *files, '--cache', str(folder / 'cache')]


_PROPAGATED = {'out': 'dense.json', 'save-video': 'overlay.mp4', 'report': 'report.html'}


def _infer(out: Path, folder: Path) -> list[str]:
    video, _ = _one_clip(out)
    boxes = out / 'data' / 'annotations' / 'val' / f'{Path(video).name}.json'
    written = ['--out', str(folder / 'poses.json'), '--save-video', str(folder / 'overlay.mp4')]
    return [video, '--boxes', str(boxes), *written, *_model(out)]


def _pseudo_labels(out: Path, folder: Path) -> list[str]:
    data = out / 'data'
    labels = str(data / 'annotations' / 'train')
    options = ['--interval', '3', '--method', 'stdpose', *_model(out)]
    return [labels, '--image-root', str(data), '--out', str(folder), *options]


def _train(out: Path, folder: Path) -> list[str]:
    options = ['--seed', '3', '--resume', '--no-validate', *_data_options(out)]
    return [str(CONFIG), '--work-dir', str(folder), *options, f'train_cfg.max_iters={TRAIN_ITERS}']


def _study(out: Path, folder: Path) -> list[str]:
    options = ['--seeds', '0', '--steps', str(STUDY_ITERS), *_data_options(out)]
    return [str(out / 'study.py'), '--out-dir', str(folder), *options]


def _tool(path: str, arguments: list[str]) -> int:
    """Run a command of ``tools`` in this process."""
    import runpy

    names = runpy.run_path(str(ROOT / 'tools' / path))
    code: int = names['main'](arguments)
    return code


COMMANDS = {
    'propagate': Soaked(4, propagate.main, _propagate, tuple(_PROPAGATED.values())),
    'infer': Soaked(4, infer.main, _infer, ('poses.json', 'overlay.mp4')),
    'pseudo': Soaked(
        4,
        partial(_tool, 'misc/make_pseudo_labels.py'),
        _pseudo_labels,
        ('summary.json', 'annotations/*.json'),
    ),
    'train': Soaked(2, train.main, _train, (f'iter_{TRAIN_ITERS}.pth',)),
    'study': Soaked(1, partial(_tool, 'study.py'), _study, ('runs/*/*/metrics.json',)),
}


def run_to_end(command: Soaked, out: Path, folder: Path) -> None:
    """Run a command.

    Raises:
        InputError: If it fails.
    """
    folder.mkdir(exist_ok=True)
    code = command.main(command.arguments(out, folder))
    if code != 0:
        raise InputError(f'the command ended with exit code {code}')


def in_child(work: Callable[[], object], log: Path) -> None:
    """Do work in a process of its own, and wait for its end.

    Raises:
        InputError: If it fails.
    """
    code = os.waitstatus_to_exitcode(os.waitpid(_fork(work, log), 0)[1])
    if code != 0:
        raise InputError(f'a run ended with exit code {code}, see {log}')


def _fork(work: Callable[[], object], log: Path) -> int:
    """Start work in a process and a session of its own, with its output in a file."""
    sys.stdout.flush()
    process = os.fork()
    if process != 0:
        return process
    code = 1
    try:
        os.setsid()
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # The child must not run the parent's exit handlers.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def kill_and_repeat(
    command: Soaked, out: Path, folder: Path, moment: float, expected: dict[str, str]
) -> tuple[list[str], bool]:
    """Kill a run after ``moment`` seconds, check the files that it left, and run it to the end.

    Returns:
        What is wrong, and whether the run did not end before.
    """
    log = folder.with_suffix('.log')
    work = partial(run_to_end, command, out, folder)
    process = _fork(work, log)
    time.sleep(moment)
    was_killed = os.waitpid(process, os.WNOHANG) == (0, 0)
    if was_killed:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
    problems = [f'{name} is half written' for name in _half_files(folder, log)]
    left = summarize(command, folder)
    problems += [f'{name} differs after the kill' for name in left if left[name] != expected[name]]
    try:
        in_child(work, log)
    except InputError as error:
        return [*problems, str(error)], was_killed
    again = summarize(command, folder)
    for name in sorted(expected.keys() | again.keys()):
        if expected.get(name) != again.get(name):
            problems.append(f'{name} differs after the second run')
    problems += [f'{name} is left behind' for name in _temporary_files(folder)]
    return problems, was_killed


def summarize(command: Soaked, folder: Path) -> dict[str, str]:
    """Map the existing results to digests of their content."""
    files = sorted(path for pattern in command.results for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == '.pth':
        # Checkpoints hold the time of writing.
        weights = read_checkpoint_file(path)['state_dict']
        data = b''.join(name.encode() + bytes(w.numpy().tobytes()) for name, w in weights.items())
    if path.suffix == '.json':
        fields = json.loads(data)
        # Speed differs from run to run.
        fields.get('inference', {}).pop('frames_per_second', None)
        data = json.dumps(fields).encode()
    return hashlib.sha256(data).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob('*')) if path.is_file())


def _temporary_files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in _files(folder) if '.partial.' in path.name]


def _half_files(folder: Path, log: Path) -> list[str]:
    """List the files that cannot be read to their end, and why; a log may end anywhere."""
    half = []
    for path in _files(folder):
        if '.partial.' in path.name or path.parent.name == 'vis_data':
            continue
        try:
            if path.suffix == '.json':
                json.loads(path.read_bytes())
            elif path.suffix == '.pth':
                read_checkpoint_file(path)
            elif path.suffix == '.html' and not path.read_text('utf-8').endswith('</html>\n'):
                raise ValueError('no end')
            elif path.suffix == '.mp4':
                # Its decoder starts threads, which children that are forked later would miss.
                in_child(partial(_decode, path), log)
        # The reader of a truncated file may raise any exception.
        except Exception as error:
            half.append(f'{path.relative_to(folder)} ({one_line(error)})')
    return half


def _decode(path: Path) -> None:
    from stdpose_mm.io.video import open_frames

    frames = open_frames(path)
    if len(list(frames)) != NUM_FRAMES:
        raise InputError(f'{path} has {len(frames)} frames')


if __name__ == '__main__':
    raise SystemExit(main())
