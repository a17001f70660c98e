"""One case each: what is done with mutated files, command lines or poses, and what must hold."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzzing.mutations import TEXTS, mutate
from fuzzing.samples import HEIGHT, NUM_FRAMES, WIDTH, Sample, make_samples, pictures, sample_labels
from stdpose_mm.cli import convert as convert_command
from stdpose_mm.cli import evaluate, infer, propagate
from stdpose_mm.cli.main import main
from stdpose_mm.constants import FORMAT_PACKAGES, FORMATS_WITH_TIMES, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import (
    POSETRACK_SKELETON,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
)
from support.tools import load_tool

MAX_MESSAGE = 20_000

_IN_MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


class BrokenPromiseError(Exception):
    """What a case found, other than an exception of the package.

    Args:
        kind: What was broken, in a word or two.
        text: What happened.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Case:
    """A case that can be run again.

    Args:
        kind: 'library', 'commands' or 'evaluations'.
        seed: Text that all its choices follow from.
    """

    kind: str
    seed: str


def warm_up() -> None:
    """Load and make what every case needs, once for all processes."""
    for method in ('flow', 'spline', 'auto'):
        from stdpose_mm.apis import VideoPosePropagator

        VideoPosePropagator(method=method)
    for module in ('torchvision.models.optical_flow', 'mmpose.apis', 'mmdet.apis'):
        # Without the packages for training, commands that need them say so.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    workspace()


@cache
def samples() -> tuple[Sample, ...]:
    """Make the samples once."""
    return tuple(make_samples())


# -- files ----------------------------------------------------------------------------------------


def write_files(sample: Sample, folder: Path) -> Path:
    """Write the files of a sample; return the path to give to its reader."""
    for name, data in sample.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, bytes):
            path.write_bytes(data)
        elif data == 'pipe':
            os.mkfifo(path)
        elif data == 'folder':
            path.mkdir()
        else:
            target = {'link to itself': path.name, 'link to the folder': '.'}.get(data, 'nothing')
            path.symlink_to(target)
    return folder / sample.entry


Snapshot = dict[str, Any]


def snapshot(folder: Path) -> Snapshot:
    """Describe all files below a folder: path -> what is there."""
    found: Snapshot = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root) / name
            is_file = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.read_bytes() if is_file else None
    return found


def difference(before: Snapshot, after: Snapshot) -> set[str]:
    """List the paths that came, went or changed."""
    paths = before.keys() | after.keys()
    return {path for path in paths if before.get(path, 0) != after.get(path, 0)}


@contextlib.contextmanager
def case_folder() -> Iterator[Path]:
    """A folder for one case, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix='fuzz_', dir=_IN_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# -- library --------------------------------------------------------------------------------------


def library_sample(rng: Random) -> Sample:
    """Choose and mutate a sample, once to three times."""
    sample = rng.choice(samples())
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        sample = mutate(sample, rng)
    return sample


def run_library(seed: str, sample: Sample | None = None) -> str:
    """Read a mutated sample, and use what was read.

    Args:
        seed: See :class:`Case`.
        sample: Files to use in place of those that follow from the seed.

    Returns:
        'read' or 'refused'.
    """
    rng = Random(seed)
    chosen = library_sample(rng)
    sample = chosen if sample is None else sample
    rng = Random(f'{seed} use')
    with case_folder() as folder, warnings.catch_warnings():
        warnings.simplefilter('ignore', InputWarning)
        warnings.simplefilter('error', RuntimeWarning)
        inputs, outputs = folder / 'in', folder / 'out'
        inputs.mkdir()
        outputs.mkdir()
        path = write_files(sample, inputs)
        before = snapshot(inputs)
        try:
            _read(sample, path, outputs, rng)
            outcome = 'read'
        except InputError as error:
            _check_sentence(str(error))
            outcome = 'refused'
        touched = difference(before, snapshot(inputs))
        if touched:
            raise BrokenPromiseError('touched', f'{sorted(touched)} changed')
        left = [name for name in snapshot(outputs) if 'partial' in name]
        if left:
            raise BrokenPromiseError('left behind', f'{left}')
    return outcome


def _check_sentence(sentence: str) -> None:
    if '\n' in sentence or not sentence or len(sentence) > MAX_MESSAGE:
        raise BrokenPromiseError('no sentence', sentence[:500])
    sentence.encode('utf-8', 'surrogateescape')


def _read(sample: Sample, path: Path, outputs: Path, rng: Random) -> None:
    from stdpose_mm.detection.box_files import read_boxes
    from stdpose_mm.io.labels import find_label_files, read_all_labels, read_frame_list
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.io.video_list import is_video_list, list_videos

    if sample.kind == 'boxes':
        read_boxes(path, _frames() if rng.random() < 0.5 else None)
    elif sample.kind == 'frame-list':
        read_frame_list(path)
    elif sample.kind == 'dataset':
        is_video_list([str(path)])
        list_videos([str(path)])
    elif sample.kind == 'pictures':
        frames = open_frames(path)
        for index in range(len(frames)):
            frames[index]
    elif sample.kind == 'label-list':
        for file in find_label_files(path):
            read_all_labels(file)
    else:
        format = None
        if rng.random() < 0.3:
            format = sample.format if rng.random() < 0.7 else rng.choice(READ_FORMATS)
        size = (WIDTH, HEIGHT) if rng.random() < 0.7 else None
        for labels in read_all_labels(path, format, size)[:2]:
            _use(labels, outputs, rng)


def _use(labels: VideoLabels, outputs: Path, rng: Random) -> None:
    from stdpose_mm.io.labels import FrameOptions, fit_size, frame_sources, rescale_labels

    use = rng.random()
    with contextlib.suppress(InputError):
        frame_sources(labels, outputs, outputs)
    if use < 0.6:
        _write_and_read(labels, outputs, rng)
    elif use < 0.7:
        fit_size(labels, (WIDTH, HEIGHT))
        # Smaller, since what lies at the last pixel that is read would lie beyond it.
        _write_and_read(rescale_labels(labels, (WIDTH, HEIGHT), (40, 30)), outputs, rng)
    elif use < 0.8:
        from stdpose_mm.io.labels import match_frames
        from stdpose_mm.structures.propagated_labels import keep_certain, take_as_given

        matched = match_frames(labels, None, FrameOptions(first_number=rng.randrange(3)))
        _write_and_read(keep_certain(take_as_given(matched, 0.5), 0.5), outputs, rng)
    else:
        _propagate(labels, outputs, rng)


def _write_and_read(labels: VideoLabels, outputs: Path, rng: Random) -> None:
    """Write labels in any format; what is written must be read again."""
    from stdpose_mm.io.labels import read_labels

    format = rng.choice([name for name in WRITE_FORMATS if name not in FORMAT_PACKAGES])
    path = outputs / f'out{rng.choice(WRITE_FORMATS[format])}'
    times = (lambda frame: frame / 25) if format in FORMATS_WITH_TIMES else None
    write_labels(labels, path, format, times)
    if format == 'posetrack18-official':
        format = 'posetrack18'
    # Results hold no one else than people with joints, and no video without them.
    if format not in READ_FORMATS or not any(p.labelled.any() for p in labels.persons):
        return
    try:
        again = read_labels(path, format)
    except InputError as error:
        raise BrokenPromiseError('unreadable', f'{format}: {error}') from error
    if format in ('posetrack18', 'posetrack21', 'coco') and len(again.persons) < len(
        [p for p in labels.persons if p.labelled.any()]
    ):
        raise BrokenPromiseError('lost', f'{format}: {labels} became {again}')


def _frames() -> Any:
    from stdpose_mm.io.video import ArrayFrames

    return ArrayFrames(_pictures())


@cache
def _pictures() -> np.ndarray:
    import cv2

    decoded = [cv2.imdecode(np.frombuffer(p, np.uint8), cv2.IMREAD_COLOR) for p in pictures()]
    return np.stack(decoded)


def _propagate(labels: VideoLabels, outputs: Path, rng: Random) -> None:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.review import frames_to_check, rank_suggestions

    propagator = VideoPosePropagator(method=rng.choice(['linear', 'linear', 'spline', 'flow']))
    state = propagator.init_state(
        _frames(),
        labels,
        life_span=rng.choice(['video', 'labels']),
        fill_left_out=rng.random() < 0.3,
        labels_size=(WIDTH, HEIGHT) if rng.random() < 0.3 else None,
    )
    dense = propagator.collect_labels(state, propagator.propagate_in_video(state))
    if len(dense) != NUM_FRAMES:
        raise BrokenPromiseError('frames', f'{len(dense)} of {NUM_FRAMES} frames')
    frames_to_check(dense, 2)
    rank_suggestions(dense, {0}, 2)
    _write_and_read(dense, outputs, rng)


# -- commands -------------------------------------------------------------------------------------

COMMANDS: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split())
    for line in (
        'propagate clip labels.json --method linear --out out.json',
        'propagate clip.mp4 labels.xml --method spline --out out.xml',
        'propagate clip coco.json --method flow --out out.json --format coco',
        'propagate clip labels.json --out out.json --check 2 --suggest 1',
        'propagate clip labels.json --method linear --out o.json --report r.html',
        'propagate clip labels.json --method linear --out o.csv --save-video o.mp4',
        'propagate clip labels.json --method linear --out o.json --boxes coco.json',
        'propagate clip task.zip --method linear --out o.json --life-span labels',
        'propagate videos annotations --method linear --out results',
        'propagate videos.csv --method linear --out results',
        'propagate clip labels.json --method linear --out o.json --frame-of frames.csv',
        'propagate clip labels.json --method linear --out o.json --cache off',
        'convert labels.json out.xml --cvat-tolerance 2',
        'convert labels.xml out.json --to coco',
        'convert coco.json out.csv --to deeplabcut',
        'convert labels.json out.trc --fps 25',
        'convert labels.json out.csv --to tidy-csv --fps 25',
        'convert task.zip out.json --loaded-into-cvat labels.xml',
        'convert annotations out.json --to coco',
        'convert labels.json out.json --to cvat-labels',
        'convert yolo out.json --from yolo-pose --labels-size 48x40',
        'convert dense.json out.json --as-given 0.5 --first-frame-number 0',
        'evaluate truth predicted --out metrics.json',
        'infer clip --config config.py --checkpoint weights.pth --out o.json',
        'cache --cache kept',
        '--version',
    )
)
"""Right command lines (but for that of ``infer``, whose weights are none)."""

PARSERS: dict[str, Callable[[str], argparse.ArgumentParser]] = {
    'propagate': propagate.main.make_parser,
    'convert': convert_command.main.make_parser,
    'evaluate': evaluate.main.make_parser,
    'infer': infer.main.make_parser,
}

ODD_PATHS = (
    *('', '.', '..', './', '../work', 'nothing', 'nothing/at/all.json', 'labels.json/x', 'clip/'),
    *('pipe', 'pipe.json', 'lost', 'lost.json', 'loop', 'loop.json', 'empty', 'empty.json'),
    *('/dev/null', '/dev/zero', '/dev/full', '/dev/fd/99', '~', '*.json', '-', '--', 'a\nb.json'),
    *(
        'x' * 300,
        'x' * 250 + '.json',
        'ü\U0001f415.json',
        'caf\udce9.json',
        'C:\\a.json',
        'a b.json',
    ),
    *(
        'http://localhost/a.mp4',
        'file:labels.json',
        'clip.mp4',
        'clip',
        'labels.json',
        'labels.xml',
    ),
    *('annotations', 'videos', 'videos.csv', 'frames.csv', 'noise', 'noise.mp4', 'noise.png'),
)
ODD_VALUES = (
    *('0', '1', '-1', '0.5', 'nan', 'inf', '-inf', '1e999', '1e-320', '9' * 30, '9' * 5000, '²'),
    *(
        '48x40',
        '0x0',
        '99999x99999',
        'all',
        'coco',
        'cvat',
        'detector',
        'interpolate',
        'cuda',
        'off',
    ),
    *('auto', 'linear', 'pytorch', 'posetrack18', 'tidy-csv', 'labels', 'video', ' ', '0x10', '１'),
)
OUTPUT_OPTIONS = ('--out', '--save-video', '--report', '--cache')


@cache
def workspace() -> dict[str, bytes]:
    """The files that commands work on: path -> content."""
    labels = sample_labels()
    by_name = {sample.name: next(iter(sample.files.values())) for sample in samples()}
    files: dict[str, Any] = {
        'labels.json': by_name['posetrack18'],
        'labels.xml': by_name['cvat'],
        'coco.json': by_name['coco'],
        'task.zip': by_name['zipped cvat'],
        'annotations/a.json': by_name['posetrack18'],
        'annotations/b.json': by_name['posetrack18'],
        'videos.csv': b'video,labels\nvideos/a,labels.json\nvideos/b,coco.json\n',
        'frames.csv': b'name,frame\n000000.png,0\n000002.png,2\n000004.png,4\n',
        'yolo/data.yaml': b'kpt_shape: [2, 3]\n',
        'yolo/f_1.txt': b'0 0.5 0.5 0.2 0.4 0.25 0.5 2 0.75 1.0 1\n',
        'config.py': b'model = dict(type="Nothing")\n',
        'weights.pth': b'\x80\x02}q\0.',
        'empty.json': b'',
        'noise': bytes(range(256)) * 20,
        'noise.mp4': b'\0\0\0\x18ftypmp42' + bytes(range(256)) * 20,
        'noise.png': b'\x89PNG\r\n\x1a\n' + bytes(range(256)),
    }
    for i, picture in enumerate(pictures()):
        for folder in ('clip', 'videos/a', 'videos/b'):
            files[f'{folder}/{i:06d}.png'] = picture
    with tempfile.TemporaryDirectory() as made:
        from stdpose_mm.io.video import write_video

        write_video(Path(made) / 'clip.mp4', _pictures(), fps=10)
        files['clip.mp4'] = (Path(made) / 'clip.mp4').read_bytes()
        dense = [person for person in labels.persons for _ in range(1)]
        estimated = [
            person.with_source('propagated') if person.labelled.any() else person
            for person in dense
        ]
        write_labels(labels.with_persons(estimated), Path(made) / 'd.json', 'posetrack18')
        files['dense.json'] = (Path(made) / 'd.json').read_bytes()
        truth, predicted = random_videos(Random('workspace'))
        for side, videos in (('truth', truth), ('predicted', predicted)):
            for video in videos:
                write_labels(video, Path(made) / 'v.json', 'posetrack18-official')
                files[f'{side}/{video.name}.json'] = (Path(made) / 'v.json').read_bytes()
    return files


def make_command(rng: Random) -> list[str]:
    """Choose and mutate a command line."""
    arguments = list(rng.choice(COMMANDS))
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        arguments = _mutate_arguments(arguments, rng)
    return arguments


def _mutate_arguments(arguments: list[str], rng: Random) -> list[str]:
    if not arguments:
        return [rng.choice(ODD_PATHS)]
    place = rng.randrange(len(arguments))
    operation = rng.randrange(9)
    changed = list(arguments)
    if operation == 0:
        del changed[place]
    elif operation == 1:
        changed.insert(place, changed[rng.randrange(len(changed))])
    elif operation == 2:
        other = rng.randrange(len(changed))
        changed[place], changed[other] = changed[other], changed[place]
    elif operation < 5:
        changed[place] = rng.choice(ODD_PATHS)
    elif operation == 5:
        changed[place] = rng.choice([*ODD_VALUES, *(t for t in TEXTS if _is_argument(t))])
    elif operation == 6 and changed[place].startswith('--'):
        changed[place] = rng.choice(
            [changed[place][:-1], changed[place] + '=', changed[place] + 's']
        )
    else:
        option = _any_option(changed[0], rng)
        value = rng.choice([*ODD_VALUES, *ODD_PATHS])
        changed += [[option], [option, value], [f'{option}={value}']][rng.randrange(3)]
    return changed


def _is_argument(text: str) -> bool:
    """Whether the system lets a text be an argument, and it leads to no folder of others."""
    try:
        return b'\0' not in os.fsencode(text) and text != '/'
    except UnicodeEncodeError:
        return False


def _any_option(verb: str, rng: Random) -> str:
    make = PARSERS.get(verb, convert_command.main.make_parser)
    options = [text for action in make('fuzz')._actions for text in action.option_strings]
    return rng.choice([option for option in options if option not in ('--device',)])


def command_files(rng: Random) -> dict[str, Any]:
    """Choose the files of a case, some of which are mutated."""
    files: dict[str, Any] = dict(workspace())
    if rng.random() < 0.4:
        name = rng.choice([name for name in files if not name.endswith('.pth')])
        mutated = mutate(Sample('file', 'labels', {name: files[name]}, name), rng)
        del files[name]
        files.update(mutated.files)
    return files


def run_command_line(seed: str, arguments: Sequence[str] | None = None) -> str:
    """Run a mutated command line on files of which one may be mutated.

    Args:
        seed: See :class:`Case`.
        arguments: Command line in place of the one that follows from the seed.

    Returns:
        The exit code, as a text.
    """
    rng = Random(seed)
    chosen = make_command(rng)
    arguments = chosen if arguments is None else list(arguments)
    files = command_files(rng)
    home = os.getcwd()
    with case_folder() as folder:
        work = folder / 'work'
        work.mkdir()
        write_files(Sample('workspace', 'labels', files, '.'), work)
        os.mkfifo(work / 'pipe')
        os.mkfifo(work / 'pipe.json')
        for name, target in (('lost', 'nowhere'), ('loop', 'loop')):
            (work / name).symlink_to(target)
            (work / f'{name}.json').symlink_to(f'{target}.json')
        (work / 'empty').mkdir(exist_ok=True)
        os.environ['STDPOSE_CACHE'] = str(folder / 'cache')
        before = snapshot(folder)
        os.chdir(work)
        try:
            code, said = _call(arguments)
        finally:
            os.chdir(home)
        after = snapshot(folder)
        touched = {p for p in difference(before, after) if p.split(os.sep)[0] != 'cache'}
        folders = {path for path, content in after.items() if content is None}
        _check_exit(arguments, code, said)
        _check_touched(arguments, code, touched, folders)
    return str(code)


def _call(arguments: Sequence[str]) -> tuple[Any, str]:
    out, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        warnings.catch_warnings(),
    ):
        try:
            code: Any = main(list(arguments))
        except SystemExit as stop:
            code = 0 if stop.code is None else stop.code
    return code, errors.getvalue()


def _check_exit(arguments: Sequence[str], code: Any, said: str) -> None:
    if code not in (0, 2):
        raise BrokenPromiseError('exit code', f'{code}: {said[-500:]}')
    if 'Traceback' in said:
        raise BrokenPromiseError('traceback on stderr', said[-1500:])
    last = said.strip().splitlines()[-1:] or ['']
    if code == 2 and not last[0].startswith(('stdpose', 'fuzz')):
        raise BrokenPromiseError('no sentence', f'{arguments}: {said[-500:]}')


def _outputs_of(arguments: Sequence[str]) -> list[str]:
    """List the paths that a command line asks to write to, roughly: too many rather than few."""
    found = []
    for place, text in enumerate(arguments):
        option, has_value, value = text.partition('=')
        # Parsers complete options that are cut short.
        if option.startswith('--') and any(name.startswith(option) for name in OUTPUT_OPTIONS):
            found += [value] if has_value else list(arguments[place + 1 : place + 2])
    if arguments and arguments[0] == 'convert':
        found += [text for text in arguments[1:] if not text.startswith('--')][1:]
    return found


def _check_touched(
    arguments: Sequence[str], code: Any, touched: set[str], folders: set[str]
) -> None:
    left = [path for path in touched if '.partial' in path]
    if left:
        raise BrokenPromiseError('left behind', f'{arguments}: {left}')
    outputs = [os.path.normpath(os.path.join('work', path)) for path in _outputs_of(arguments)]
    # A symbolic link is written through.
    outputs += [f'work/nowhere{Path(out).suffix}' for out in outputs if Path(out).stem == 'lost']
    for path in sorted(touched):
        stem = path.removesuffix('_config.yaml')
        below = any(out in (path, '.') or path.startswith(out + os.sep) for out in outputs)
        beside = any(stem != path and out.startswith(stem) for out in outputs)
        above = any(out.startswith(path + os.sep) for out in outputs)
        if not (below or beside or above):
            raise BrokenPromiseError('touched', f'{arguments} ({code}): {path}')
        # Of several videos those that are done stay, in a folder.
        if code != 0 and path in outputs and path not in folders:
            raise BrokenPromiseError('half done', f'{arguments} ({code}): {path}')


# -- evaluations ----------------------------------------------------------------------------------


def random_videos(rng: Random) -> tuple[list[VideoLabels], list[VideoLabels]]:
    """Make the truth and predictions of some videos: crowded, empty, far away, all alike."""
    generator = np.random.default_rng(rng.getrandbits(64))
    ids = rng.choice([[*range(6)], [0, 2**63 - 1, -5, 10**9, 1, 7], [None] * 6])
    spread = rng.choice([0.0, 1e-9, 20.0, 1e7])
    places = generator.uniform(-spread, spread, (3, 17, 2))
    truth, predicted = [], []
    for v in range(rng.randint(1, 3)):
        frames = []
        for t in sorted(rng.sample(range(rng.choice([6, 10**7])), rng.randint(1, 5))):
            polygon = PolygonRegion(generator.uniform(0, 60, (rng.choice([0, 1, 3, 4]), 2)))
            regions = (polygon,) if rng.random() < 0.3 else ()
            frames.append(VideoFrame(t, ignore_regions=regions))
        for side, noise in ((truth, 0.5), (predicted, rng.choice([0.0, 3.0, 1e6]))):
            people = []
            for frame in frames:
                for i in rng.sample(range(6), rng.choice([0, 0, 1, 3, 6])):
                    visible = generator.random(17) < rng.choice([0, 0.1, 0.8, 1])
                    size = rng.choice([0.0, 1e-3, 12.0, 1e6])
                    scores = generator.random(17) * rng.choice([0.0, 1.0, -1.0, 1e300])
                    people.append(
                        PersonLabel(
                            frame.index,
                            places[i % 3] + noise * generator.normal(size=(17, 2)),
                            2 * visible,
                            ids[i],
                            scores=scores if rng.random() < 0.8 else None,
                            bbox=np.array([0.0, 0, size, size]) if rng.random() < 0.5 else None,
                            head_box=np.array([0.0, 0, size, size]) if rng.random() < 0.9 else None,
                        )
                    )
            side.append(VideoLabels(f'v{v}', POSETRACK_SKELETON, tuple(frames), tuple(people)))
    return truth, predicted


@cache
def _plain_evaluation() -> Callable[..., dict[str, np.ndarray]]:
    return load_tool('analysis_tools/benchmark_evaluation').plain_evaluation


def _compare(scores: Any, truth: list[VideoLabels], predicted: list[VideoLabels]) -> None:
    """Compare scores with those of plain loops; of equally good matchings either may be taken."""
    people = [person.keypoints[0, 0] for video in predicted for person in video.persons]
    regions = [r for v in (*truth, *predicted) for f in v.frames for r in f.ignore_regions]
    if len({*people}) < len(people) or any(len(region.points) < 3 for region in regions):
        return
    expected = _plain_evaluation()(truth, predicted)
    fields = [('ap', 'AP'), ('precision', 'precision'), ('recall', 'recall')]
    if all(p.track_id is not None for v in (*truth, *predicted) for p in v.persons):
        fields += [('mota', 'MOTA'), ('motp', 'MOTP')]
    for field, name in fields:
        ours, plain = np.asarray(getattr(scores, field)), np.asarray(expected[name])
        # Where nothing is matched the loops say 0.
        if not np.allclose(np.nan_to_num(ours), np.nan_to_num(plain), atol=1e-6):
            raise BrokenPromiseError('plain loops', f'{name} {ours} {plain}')


def run_evaluation(seed: str) -> str:
    """Evaluate random poses by AP, MOTA, PCK and their own truth; bounds must hold."""
    from stdpose_mm.evaluation.functional import evaluate_posetrack, keypoint_accuracy

    truth, predicted = random_videos(Random(seed))
    outcome = 'refused'
    with warnings.catch_warnings():
        warnings.simplefilter('error', RuntimeWarning)
        for prediction in (predicted, truth):
            try:
                scores = evaluate_posetrack(truth, prediction)
            except InputError as error:
                _check_sentence(str(error))
                continue
            outcome = 'evaluated'
            for name, low in (
                ('ap', 0),
                ('precision', 0),
                ('recall', 0),
                ('mota', -np.inf),
                ('motp', 0),
            ):
                values = np.asarray(getattr(scores, name))
                known = values[~np.isnan(values)]
                if ((known < low - 1e-9) | (known > 100 + 1e-9)).any():
                    raise BrokenPromiseError('bounds', f'{name} {known}')
            if prediction is predicted:
                _compare(scores, truth, predicted)
        for prediction in (predicted, truth):
            try:
                accuracy = keypoint_accuracy(truth, prediction)
            except InputError as error:
                _check_sentence(str(error))
                continue
            for name, values in accuracy.rows().items():
                known = values[~np.isnan(values)]
                high = 100 + 1e-9 if name.startswith(('PCK', 'AUC', 'predicted')) else np.inf
                if not ((known >= 0) & (known <= high)).all():
                    raise BrokenPromiseError('bounds', f'{name} {known}')
    return outcome


RUN: dict[str, Callable[[str], str]] = {
    'library': run_library,
    'commands': run_command_line,
    'evaluations': run_evaluation,
}
"""Kind of a case -> runs it; raises what it finds."""
