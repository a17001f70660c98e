"""How long propagation takes beside the bare backbone passes it needs, and its peak memory.

    python tools/benchmark_speed.py
    python tools/benchmark_speed.py --config configs/stdpose_vit_posetrack17.py --people 1

A clip is generated, every T-th frame of it is labelled. Without a checkpoint the weights are
random, which takes the same time. The network runs as it does in ``tools/propagate.py``: on a CPU
in float32 with packed weights. Every figure is the least of some repetitions. Peak memory is
measured in processes of their own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from stdpose_mm.apis.speed import least_seconds, peak_memory, random_weights
from stdpose_mm.command_line import OneLineParser, exit_code, positive
from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.errors import InputError
from stdpose_mm.inference import PRECISIONS, WindowModel
from stdpose_mm.io import open_frames, read_labels, write_posetrack18, write_video
from stdpose_mm.propagation import (
    Frames,
    STDPosePropagator,
    keep_every,
    propagate_frames,
)
from stdpose_mm.structures import VideoFrame, VideoLabels

CONFIG = Path(__file__).resolve().parents[1] / 'configs' / 'stdpose_tiny_synthetic.py'
CLOCKS = ('wall', 'cpu')
SECONDS_FACTOR, MEMORY_FACTOR = 1.5, 1.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = make_parser()
    args = parser.parse_args(arguments)
    return exit_code(parser, lambda: run(args))


def make_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = OneLineParser(prog='benchmark_speed.py', description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--config', default=str(CONFIG), help='config of the model (%(default)s)')
    parser.add_argument('--checkpoint', help='its weights (default: random ones)')
    parser.add_argument('--frames', type=positive, default=29, help='length (%(default)s)')
    parser.add_argument('--size', type=positive, nargs=2, default=(640, 480), metavar=('W', 'H'))
    parser.add_argument('--people', type=positive, default=2, help='(%(default)s)')
    parser.add_argument('--interval', type=positive, default=7, help='T (%(default)s)')
    parser.add_argument('--batch-size', type=positive, default=8, help='(%(default)s)')
    parser.add_argument('--precision', choices=PRECISIONS, default='float32')
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    parser.add_argument(
        '--clock',
        choices=CLOCKS,
        default='wall',
        help='cpu: seconds of all threads, for a machine that does other work (%(default)s)',
    )
    parser.add_argument('--repeats', type=positive, default=3, help='(%(default)s)')
    parser.add_argument(
        '--longer', type=int, default=10, help='factor of the long clip, 0: no memory (%(default)s)'
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Measure and print.

    Raises:
        InputError: If something that was given cannot be used.
    """
    if args.longer < 0:
        raise InputError(f'--longer must not be negative, got {args.longer}')
    if args.interval >= args.frames:
        raise InputError(f'--interval must be less than the {args.frames} frames, leave gaps')
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = args.checkpoint or random_weights(args.config, folder / 'random.pth')
        settings = ClipSettings(
            frames=args.frames,
            width=args.size[0],
            height=args.size[1],
            people=(args.people, args.people),
        )
        clip = generate_clip(0, settings, name='clip')
        write_clip(folder / 'clip', clip.frames, clip.labels, args.interval, times=1)
        print_times(args, checkpoint, folder / 'clip', clip.frames)
        if args.longer:
            write_clip(folder / 'long', clip.frames, clip.labels, args.interval, args.longer)
            print_memory(args, checkpoint, [folder / 'clip', folder / 'long'])


def print_times(
    args: argparse.Namespace, checkpoint: str, clip: Path, pictures: np.ndarray
) -> None:
    """Print how long propagation takes, with and without decoding, and the backbone alone."""
    packed = WindowModel.from_config(args.config, checkpoint, args.device, precision=args.precision)
    plain = deepcopy(packed.model)
    packed.pack()
    propagator = STDPosePropagator(packed, args.batch_size)
    batches: list[tuple[int, ...]] = []
    hook = packed.model.backbone.register_forward_hook(
        lambda module, inputs, output: batches.append(tuple(inputs[0].shape))
    )
    num_poses = propagate(propagator, pictures, clip)
    hook.remove()
    crops = sum(shape[0] for shape in batches)

    def backbone(model: torch.nn.Module) -> None:
        with packed.inference():
            for shape in batches:
                model.backbone(torch.zeros(shape, device=args.device))  # type: ignore[operator]
        if torch.device(args.device).type == 'cuda':
            torch.cuda.synchronize()

    times = least_seconds(
        args.repeats,
        lambda: propagate(propagator, open_frames(clip.with_suffix('.mp4')), clip),
        lambda: propagate(propagator, pictures, clip),
        lambda: backbone(packed.model),
        lambda: backbone(plain),
    )
    end_to_end, decoded, bare, bare_plain = (getattr(seconds, args.clock) for seconds in times)
    segments = args.people * -(-(args.frames - 1) // args.interval)
    print(
        f'{len(pictures)} frames of {args.size[0]}x{args.size[1]}, {args.people} people, T = '
        f'{args.interval}: {num_poses} poses in {segments} segments, {crops} crops seen by the '
        f'backbone ({crops / segments:.2f} a segment), {args.precision}, '
        f'{torch.get_num_threads()} threads'
    )
    print(f'propagation, end to end          {end_to_end:8.3f} s')
    print(f'propagation, pictures decoded    {decoded:8.3f} s')
    print(f'backbone alone                   {bare:8.3f} s, ratio {end_to_end / bare:.2f}')
    print(
        f'backbone alone, weights unpacked {bare_plain:8.3f} s, ratio '
        f'{end_to_end / bare_plain:.2f} (aim: at most {SECONDS_FACTOR})'
    )


def print_memory(args: argparse.Namespace, checkpoint: str, clips: Sequence[Path]) -> None:
    """Print the peak memory of processes that propagate a short and a long clip."""
    peaks = [peak_memory(propagate_once, args, checkpoint, clip) for clip in clips]
    short, long = peaks
    print(
        f'peak memory: {short / 2**20:.0f} MiB, of {args.longer} times the length '
        f'{long / 2**20:.0f} MiB, ratio {long / short:.3f} (aim: less than {MEMORY_FACTOR})'
    )


def propagate_once(args: argparse.Namespace, checkpoint: str, clip: Path) -> None:
    """Load the model and propagate the labels of a clip."""
    model = WindowModel.from_config(args.config, checkpoint, args.device, precision=args.precision)
    model.pack()
    propagator = STDPosePropagator(model, args.batch_size)
    propagate(propagator, open_frames(clip.with_suffix('.mp4')), clip)


def propagate(propagator: STDPosePropagator, frames: Frames, clip: Path) -> int:
    """Propagate the labels of a clip, poses are counted and dropped; returns their number."""
    labels = read_labels(clip.with_suffix('.json'))
    poses = 0
    for _, people in propagate_frames(frames, labels.tracks(), labels.skeleton, propagator):
        poses += sum(person.source == 'propagated' for person in people)
    return poses


def write_clip(
    path: Path, pictures: np.ndarray, labels: VideoLabels, interval: int, times: int
) -> None:
    """A clip as ``.mp4`` and ``.json``, played forth and back so that it is ``times`` as long."""
    length = len(pictures)
    order = [n if k % 2 == 0 else length - 1 - n for k in range(times) for n in range(length)]
    write_video(path.with_suffix('.mp4'), (pictures[n] for n in order), fps=25)
    people = labels.persons_by_frame()
    persons = [
        replace(person, frame_index=index) for index, n in enumerate(order) for person in people[n]
    ]
    longer = VideoLabels(
        labels.name,
        labels.skeleton,
        tuple(VideoFrame(index) for index in range(len(order))),
        tuple(persons),
    )
    write_posetrack18(keep_every(longer, interval), path.with_suffix('.json'))


if __name__ == '__main__':
    sys.exit(main())
