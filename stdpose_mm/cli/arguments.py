"""What all command-line tools have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from stdpose_mm.choices import VIDEO_SUFFIXES, WRITE_FORMATS
from stdpose_mm.errors import PACKAGES, find_input_error, missing_packages
from stdpose_mm.io.outputs import DEFAULT_FORMAT, Output, choose_format, guard_outputs

EXIT_INPUT_ERROR, EXIT_INTERRUPTED = 2, 130

REPORT_SUFFIXES = ('.html', '.htm')


class OneLineParser(argparse.ArgumentParser):
    """Parse a command line; say what is wrong with it in one line, without repeating the usage.

    Args:
        prog: Name of the command.
        documentation: Docstring whose first line describes the command.
    """

    def __init__(self, prog: str, documentation: str | None) -> None:
        super().__init__(prog=prog, description=(documentation or '').splitlines()[0])

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
    """Add a video, a person detector for it, and the form of the results."""
    parser.add_argument('video', metavar='VIDEO_OR_FRAMES', help='video file or folder of pictures')
    parser.add_argument('--det-config', metavar='FILE', help='MMDetection config, or ONNX file')
    parser.add_argument('--det-checkpoint', metavar='FILE', help='weights of the detector')
    parser.add_argument(
        '--format',
        choices=WRITE_FORMATS,
        help=f'of OUT (by its suffix; {DEFAULT_FORMAT} for .json and without a suffix)',
    )
    parser.add_argument('--save-video', type=Path, metavar='FILE', help='video with poses drawn')


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an optional model and its device."""
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')


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
    package of an extra that is not installed. Every other exception is a bug and passes through.

    Args:
        parser: Parser of the command line.
        work: Function of the parsed arguments.
        arguments: Command line; by default that of the process.
        interrupted: Line on stderr after Ctrl-C, with exit code 130; by default
            ``KeyboardInterrupt`` passes through.
    """
    args = parser.parse_args(arguments)
    try:
        work(args)
    except KeyboardInterrupt:
        if interrupted is None:
            raise
        print(f'{parser.prog}: {interrupted}', file=sys.stderr)
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


def seed(text: str) -> int:
    """An argument that NumPy and PyTorch take as a seed.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f'expected a whole number in 0..2^32 - 1, got {text!r}')
    return int(text)


def positive(text: str) -> int:
    """An argument that is a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: If it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)
