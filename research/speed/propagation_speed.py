"""Time and memory of propagation, compared with its backbone passes alone."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.labels import read_labels, write_posetrack18
from stdpose_mm.io.video import ArrayFrames, FrameSource, open_frames, write_video
from stdpose_mm.labelling.propagation import (
    BasePropagator,
    propagate_frames,
    require_method,
    subsample_labels,
)
from stdpose_mm.labelling.propagation.window import method_of
from stdpose_mm.structures import VideoFrame, VideoLabels
from stdpose_mm.text import counted

from .timing import Seconds, peak_memory, random_weights, take_turns

SECONDS_FACTOR, MEMORY_FACTOR = 1.5, 1.1


def time_propagation(args: Any) -> None:
    """Measure and print according to the options of ``benchmark_speed.py``.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = args.checkpoint or random_weights(args.config, folder / 'random.pth')
        files = (args.config, weights)
        width, height = args.size
        settings = ClipSettings(args.frames, width, height, (args.people, args.people))
        clip = generate_clip(0, settings, name='clip')
        write_clip(folder / 'clip', clip.frames, clip.labels, args.interval, times=1)
        print_times(args, measure(args, files, folder / 'clip', ArrayFrames(clip.frames)))
        if args.longer:
            write_clip(folder / 'long', clip.frames, clip.labels, args.interval, args.longer)
            print_memory(args, files, [folder / 'clip', folder / 'long'])


@dataclass(frozen=True)
class Measured:
    """Measurements of one model.

    Args:
        num_poses: Number of propagated poses.
        crops: Number of crops that the backbone encoded.
        seconds: Durations of propagation with and without decoding the video, and of the backbone
            alone with packed and with plain weights.
    """

    num_poses: int
    crops: int
    seconds: Sequence[Seconds]


def load(args: Any, files: tuple[str, str]) -> WindowModel:
    """Load a model, not packed."""
    return WindowModel.from_config(*files, args.device, precision=args.precision)


def propagator_of(model: WindowModel, batch_size: int) -> BasePropagator:
    """Return the propagator that a model is made for."""
    kind: Any = require_method(method_of(type(getattr(model.model, 'neck', None))))
    return kind(window_model=model, batch_size=batch_size)


def measure(args: Any, files: tuple[str, str], clip: Path, pictures: FrameSource) -> Measured:
    """Measure the time of propagation and of the backbone alone, which take turns."""
    packed = load(args, files)
    plain = deepcopy(packed.model)
    packed.optimize_for_cpu()
    propagator = propagator_of(packed, args.batch_size)
    batches: list[tuple[int, ...]] = []
    hook = packed.model.backbone.register_forward_hook(
        lambda module, inputs, output: batches.append(tuple(inputs[0].shape))
    )
    num_poses = propagate(propagator, pictures, clip)
    hook.remove()

    def backbone(model: torch.nn.Module) -> None:
        with packed.inference():
            for shape in batches:
                model.backbone(torch.zeros(shape, device=args.device))  # type: ignore[operator]
        if torch.device(args.device).type == 'cuda':
            torch.cuda.synchronize()

    works = (
        lambda: propagate(propagator, open_frames(clip.with_suffix('.mp4')), clip),
        lambda: propagate(propagator, pictures, clip),
        lambda: backbone(packed.model),
        lambda: backbone(plain),
    )
    seconds = take_turns(works, args.repeats).least()
    return Measured(num_poses, sum(shape[0] for shape in batches), seconds)


def print_times(args: Any, measured: Measured) -> None:
    """Print how long propagation takes, with and without decoding, and the backbone alone."""
    end_to_end, decoded, bare, bare_plain = (
        getattr(seconds, args.clock) for seconds in measured.seconds
    )
    gaps = args.people * -(-(args.frames - 1) // args.interval)
    print(
        f'{counted(args.frames, "frame")} of {args.size[0]}x{args.size[1]}, '
        f'{counted(args.people, "person")}, T = {args.interval}: '
        f'{counted(measured.num_poses, "pose")} in {counted(gaps, "gap")}, '
        f'{counted(measured.crops, "crop")} seen by the backbone '
        f'({measured.crops / gaps:.2f} per gap), '
        f'{args.precision}, {counted(torch.get_num_threads(), "thread")}'
    )
    print(f'propagation, end to end          {end_to_end:8.3f} s')
    print(f'propagation, pictures decoded    {decoded:8.3f} s')
    print(f'backbone alone                   {bare:8.3f} s, ratio {end_to_end / bare:.2f}')
    print(
        f'backbone alone, weights unpacked {bare_plain:8.3f} s, ratio '
        f'{end_to_end / bare_plain:.2f} (aim: at most {SECONDS_FACTOR})'
    )


def print_memory(args: Any, files: tuple[str, str], clips: Sequence[Path]) -> None:
    """Print the peak memory of processes that propagate a short and a long clip."""
    short, long = (peak_memory(propagate_once, args, files, clip) for clip in clips)
    print(
        f'peak memory: {short / 2**20:.0f} MiB, of {args.longer} times the length '
        f'{long / 2**20:.0f} MiB, ratio {long / short:.3f} (aim: less than {MEMORY_FACTOR})'
    )


def propagate_once(args: Any, files: tuple[str, str], clip: Path) -> None:
    """Load the model and propagate the labels of a clip."""
    model = load(args, files)
    model.optimize_for_cpu()
    propagator = propagator_of(model, args.batch_size)
    propagate(propagator, open_frames(clip.with_suffix('.mp4')), clip)


def propagate(propagator: BasePropagator, frames: FrameSource, clip: Path) -> int:
    """Propagate the labels of a clip, and return the number of poses without keeping them."""
    labels = read_labels(clip.with_suffix('.json'))
    poses = 0
    for _, people in propagate_frames(frames, labels.tracks(), labels.skeleton, propagator):
        poses += sum(person.source == 'propagated' for person in people)
    return poses


def write_clip(
    path: Path, pictures: np.ndarray, labels: VideoLabels, interval: int, times: int
) -> None:
    """Write a clip, ``times`` as long by playing it back and forth, as ``.mp4`` and ``.json``."""
    length = len(pictures)
    order = [n if k % 2 == 0 else length - 1 - n for k in range(times) for n in range(length)]
    write_video(path.with_suffix('.mp4'), (pictures[n] for n in order), fps=25)
    persons = [
        replace(person, frame_index=index) for index, n in enumerate(order) for person in labels[n]
    ]
    longer = VideoLabels(
        labels.name,
        labels.skeleton,
        tuple(VideoFrame(index) for index in range(len(order))),
        tuple(persons),
    )
    write_posetrack18(subsample_labels(longer, interval), path.with_suffix('.json'))
