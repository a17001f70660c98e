"""What all command-line tools have in common."""

from __future__ import annotations

import argparse
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from stdpose_mm.choices import LAUNCHERS, VIDEO_SUFFIXES, WRITE_FORMATS
from stdpose_mm.errors import (
    PACKAGES,
    InputError,
    InputWarning,
    find_input_error,
    missing_packages,
)
from stdpose_mm.io.outputs import DEFAULT_FORMAT, Output, choose_format, guard_outputs

if TYPE_CHECKING:
    from stdpose_mm.io.labels import FrameOptions

EXIT_INPUT_ERROR, EXIT_INTERRUPTED = 2, 130

LAUNCHER_FOR_ONE_VIDEO = (
    '--launcher shares several videos among processes, but there is one, leave it out'
)
MAX_FRAME_RATE = 100_000
REPORT_SUFFIXES = ('.html', '.htm')


class OneLineParser(argparse.ArgumentParser):
    """Parse a command line; say what is wrong with it in one line, without repeating the usage.

    Args:
        prog: Name of the command.
        documentation: Docstring whose first line describes the command.
        intermixed: Whether the values of one positional argument may stand on both sides of
            options.
    """

    def __init__(self, prog: str, documentation: str | None, intermixed: bool = False) -> None:
        super().__init__(prog=prog, description=(documentation or '').splitlines()[0])
        self._intermixed = intermixed

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command line."""
        parse = self.parse_intermixed_args if self._intermixed else super().parse_args
        return parse(args, namespace)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Exit with a message on one line, whatever the arguments in it hold."""
        super().exit(status, message and f'{" ".join(message.split())}\n')

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and the message."""
        self.exit(EXIT_INPUT_ERROR, f'{self.prog}: {message}, see --help\n')


def add_labelled_videos(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a set of labelled videos: LABELS and where their pictures lie."""
    parser.add_argument(
        'labels',
        type=Path,
        metavar='LABELS',
        help='folder of label files, one file, or a text file with one path a line',
    )
    parser.add_argument(
        '--image-root', type=Path, help='folder that file names of pictures in LABELS start from'
    )
    parser.add_argument(
        '--video-root', type=Path, help='folder that the video files named in LABELS start from'
    )


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a person detector for videos, and the form of the results."""
    parser.add_argument('--det-config', metavar='FILE', help='MMDetection config, or ONNX file')
    parser.add_argument('--det-checkpoint', metavar='FILE', help='weights of the detector')
    parser.add_argument(
        '--format',
        choices=WRITE_FORMATS,
        help=f'of OUT (by its suffix; {DEFAULT_FORMAT} for .json and without a suffix)',
    )
    add_cvat_output(parser)
    parser.add_argument(
        '--save-video',
        type=Path,
        metavar='FILE',
        help='video with poses drawn, with the times and the sound of the video; with several '
        'videos, the folder of these',
    )


def add_cvat_input(parser: argparse.ArgumentParser) -> None:
    """Add what labels that come from CVAT may need."""
    parser.add_argument(
        '--loaded-into-cvat',
        type=Path,
        metavar='FILE',
        help='file of stdpose that was loaded into CVAT and corrected there, if the task does not '
        'have the attribute "source" by which corrected joints are found',
    )


def add_cvat_output(parser: argparse.ArgumentParser) -> None:
    """Add how labels are written for CVAT."""
    parser.add_argument(
        '--cvat-tolerance',
        type=_tolerance,
        default=1.0,
        metavar='PX',
        help='in files for CVAT, as few key frames as keep its straight lines this close to '
        'propagated joints, in pixels; "all" makes every frame a key frame (%(default)s)',
    )


def _tolerance(text: str) -> float | None:
    if text == 'all':
        return None
    try:
        pixels = float(text)
    except ValueError:
        pixels = -1.0
    if not 0 < pixels < float('inf'):
        raise argparse.ArgumentTypeError(f'expected a number of pixels or "all", got {text!r}')
    return pixels


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what settles which frames of the video the labels of a file are on."""
    parser.add_argument(
        '--first-frame-number',
        type=whole,
        metavar='N',
        help='number that the labels give to the first frame of the video, where the names of '
        'their pictures leave it open: 0 in CVAT and OpenCV, 1 in FFmpeg',
    )
    parser.add_argument(
        '--frame-of',
        type=Path,
        metavar='FILE',
        help='CSV file of lines picture,frame (counted from 0), or picture,seconds under a header '
        'such as name,time, for labels on pictures whose names do not tell',
    )


def frame_options(args: argparse.Namespace) -> FrameOptions:
    """Read what :func:`add_frame_arguments` added.

    Raises:
        InputError: If both options are given, or the file is not as described.
    """
    from stdpose_mm.io.labels import FrameOptions, read_frame_list

    if args.frame_of is None:
        return FrameOptions(first_number=args.first_frame_number)
    if args.first_frame_number is not None:
        raise InputError('--first-frame-number and --frame-of say the same thing, give one of them')
    return read_frame_list(args.frame_of)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an optional model and its device."""
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')


def add_launcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add what started the processes of :func:`~stdpose_mm.processes.joined_processes`."""
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='what started the processes that share the videos: pytorch for torchrun',
    )


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Add the folder of :func:`~stdpose_mm.io.cache_folder.choose_cache_folder`."""
    parser.add_argument(
        '--cache',
        metavar='{FOLDER,off}',
        help='where finished work is kept for the next run (STDPOSE_CACHE if that is set, or else '
        "the user's cache folder)",
    )


def add_speed_arguments(parser: argparse.ArgumentParser, config: Path, frames: int) -> None:
    """Add the models, the generated clip and the batch size of a benchmark of speed.

    Args:
        parser: Parser to extend.
        config: Config of the model by default.
        frames: Length of the clip by default.
    """
    parser.add_argument(
        '--config',
        nargs='+',
        default=[str(config)],
        help='configs of models, the first of which the others are measured by '
        f'(default: {config.name})',
    )
    parser.add_argument(
        '--checkpoint', nargs='+', help='weights, one for each config (default: random ones)'
    )
    parser.add_argument('--frames', type=positive, default=frames, help='length (%(default)s)')
    parser.add_argument('--size', type=positive, nargs=2, default=(640, 480), metavar=('W', 'H'))
    parser.add_argument('--people', type=positive, default=2, help='in every frame (%(default)s)')
    parser.add_argument('--batch-size', type=positive, default=8, help='(%(default)s)')


def check_outputs(args: argparse.Namespace, *inputs: str) -> None:
    """Refuse ``out``, ``save_video`` or ``report`` that cannot be written, before work begins.

    Args:
        args: Parsed arguments; ``report`` may be missing.
        inputs: Names of those that are files to read.

    Raises:
        InputError: See :func:`~stdpose_mm.io.outputs.guard_outputs` and
            :func:`~stdpose_mm.io.outputs.choose_format`.
    """
    guard_outputs(
        [
            Output('--out', args.out),
            Output('--save-video', args.save_video, 'a video', VIDEO_SUFFIXES),
            Output('--report', vars(args).get('report'), 'a report', REPORT_SUFFIXES),
        ],
        {name: getattr(args, name) for name in inputs},
    )
    choose_format(args.out, args.format, '--out', '--format')


def run_command(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], object],
    arguments: Sequence[str] | None,
    interrupted: str | None = None,
) -> int:
    """Parse a command line, do its work, and return the exit code.

    An :class:`InputError`, wrapped or not, is one line on stderr and exit code 2, and so is a
    package of an extra that is not installed. An :class:`InputWarning` is one line on
    stderr too. Every other exception is a bug and passes through.

    Args:
        parser: Parser of the command line.
        work: Function of the parsed arguments.
        arguments: Command line; by default that of the process.
        interrupted: Line on stderr after Ctrl-C, with exit code 130, if the ``KeyboardInterrupt``
            has none; by default it passes through.
    """
    args = parser.parse_args(arguments)
    try:
        with _warnings_as_lines(parser.prog):
            work(args)
    except KeyboardInterrupt as stop:
        sentence = str(stop) or interrupted
        if sentence is None:
            raise
        print(f'{parser.prog}: {sentence}', file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        sentence = find_input_error(error)
        if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
            sentence = f'this needs {missing_packages(error.name)}'
        if sentence is None:
            raise
        print(f'{parser.prog}: {sentence}', file=sys.stderr)
        return EXIT_INPUT_ERROR
    return 0


@contextmanager
def _warnings_as_lines(prog: str) -> Iterator[None]:
    """Show what is said of the input as lines of the command, other warnings as ever."""
    show_any = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, InputWarning):
            print(f'{prog}: {message}', file=sys.stderr)
        else:
            show_any(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter('always', InputWarning)
        warnings.showwarning = show
        yield


def seed(text: str) -> int:
    """An argument that NumPy and PyTorch take as a seed.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'expected a whole number in 0..2^32 - 1, got {text!r}')
    return int(text)


def whole(text: str) -> int:
    """An argument that is a whole number of at least 0.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not re.fullmatch('[0-9]{1,9}', text):
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 0, got {text!r}')
    return int(text)


def picture_size(text: str) -> tuple[int, int]:
    """An argument such as 1280x720, (width, height) in pixels.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    size = re.fullmatch('([1-9][0-9]{0,4})x([1-9][0-9]{0,4})', text)
    if size is None:
        raise argparse.ArgumentTypeError(
            f'expected width and height in pixels such as 1280x720, got {text!r}'
        )
    return int(size[1]), int(size[2])


def fraction(text: str) -> float:
    """An argument that is a number in 0..1.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f'expected a number in 0..1, got {text!r}')
    return number


def frame_rate(text: str) -> float:
    """An argument that is a number of frames per second.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    number = _number(text)
    if not 0 < number <= MAX_FRAME_RATE:
        raise argparse.ArgumentTypeError(
            f'expected frames per second, more than 0 and at most {MAX_FRAME_RATE}, got {text!r}'
        )
    return number


def _number(text: str) -> float:
    """Return the number that a text is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> int:
    """An argument that is a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)
