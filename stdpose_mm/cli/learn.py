"""Train a small network on the labels of some frames of videos.

    stdpose learn clip.mp4 labels.json --out network.onnx
    stdpose learn videos/ labels/ --out network.onnx --minutes 20
    stdpose learn videos/ labels/ --out better.onnx --continue-from network.onnx

`stdpose propagate ... --pose-onnx network.onnx` then uses the network, without PyTorch, in these
and in other videos; `stdpose propagate ... --learn` does both in one command. See
docs/guide/learning.md.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.text import counted, duration

from .argument_types import minutes
from .command import Command
from .options import CacheOptions, LabelOptions, refuse_idle
from .parser import REQUIRED, argument, option

if TYPE_CHECKING:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.apis.learning import LearningOutcome
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork


_PACE_AFTER = 0.02
"""Share of the training after which its duration is told."""


@dataclass(frozen=True, kw_only=True)
class LearnOptions(CacheOptions, LabelOptions):
    """Options of ``stdpose learn``.

    Args:
        inputs: A video file or folder of pictures and a file with labels of some of its frames; or
            several videos or folders of videos and the folder of their label files; or a dataset
            file (.csv, .jsonl) that names both.
        out: ONNX file to write the network to.
        minutes: Largest training time; without it, training takes as many steps as the number of
            labels needs, on every machine.
        continue_from: Network of an earlier `stdpose learn`, to continue from after labels were
            added.
        device: Device to train on, such as cuda.
    """

    common: ClassVar = ('out', 'minutes', 'continue_from', 'device')

    reads_labels = True

    inputs: list[str] = argument('VIDEO_OR_FRAMES ... LABELS', nargs='+')
    out: Path = option(REQUIRED, writes=True, what='a network', suffixes=('.onnx',))
    minutes: float = option(math.inf, type=minutes, metavar='M')
    continue_from: Path | None = option(metavar='NETWORK')
    device: str = option('cpu')


def learn(options: LearnOptions) -> None:
    """Check the options and train.

    Raises:
        InputError: If something that was given cannot be used; no file is written then.
    """
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork

    refuse_idle(options)
    options.require_folders()
    videos = [options.files_of(video) for video in options.listed.videos]
    places = [(files.video.resolve(), files.labels, files.labels_video) for files in videos]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise InputError(
                f'{videos[number].video} is given twice with the same labels, which would '
                'count twice: give it once'
            )
    earlier = None if options.continue_from is None else LearnedNetwork(options.continue_from)
    propagator = VideoPosePropagator(device=options.device)
    states = []
    for files in videos:
        frames = open_frames(files.video)
        labels = options.label_reading.read(files, frames)
        states.append(
            propagator.init_state(
                frames, labels, life_span=options.life_span, folder=options.cache_folder
            )
        )
    learn_with_progress(propagator, states, options.out, options.minutes, earlier)


def learn_with_progress(
    propagator: VideoPosePropagator,
    states: Sequence[PropagationState],
    out: Path,
    minutes: float,
    earlier: LearnedNetwork | None = None,
    only_if_helpful: bool = False,
    quiet: bool = False,
) -> LearningOutcome:
    """Train a network; unless ``quiet``, print what it learns from, its progress and its use.

    With ``only_if_helpful``, ``out`` is not written if the network does not help: nobody asked for
    it, and the review page would find and use it.

    Raises:
        InputError: See :meth:`~stdpose_mm.apis.VideoPosePropagator.learn`.
    """
    from tqdm import tqdm

    from stdpose_mm.labelling.evidence.learned_network import require_enough

    from .progress import BAR, hide_bars

    frames = sum(
        len({frame for track in state.tracks.values() for frame in track}) for state in states
    )
    # PyTorch takes gigabytes, which nobody should install for too few labels.
    require_enough(frames)
    if not quiet:
        print(
            f'learning from {counted(frames, "labelled frame")}; '
            'Ctrl-C ends the training and keeps the network so far',
            file=sys.stderr,
            flush=True,
        )
    with tqdm(total=100, desc='learning: ', bar_format=BAR, disable=hide_bars(quiet)) as bar:
        began, is_told = time.monotonic(), quiet

        def show(done: float, right: float | None) -> None:
            nonlocal is_told
            if not is_told and done >= _PACE_AFTER:
                is_told = True
                seconds = duration((time.monotonic() - began) / done)
                bar.write(f'the training takes {seconds} at this pace', file=sys.stderr)
            if right is not None:
                bar.set_postfix_str(f'{right:.1%} of hidden joints found', refresh=False)
            bar.update(int(100 * done) - bar.n)

        with keep_edited(states[0].folder, out):
            outcome = propagator.learn(
                states, out, minutes, earlier, show, only_if_helpful=only_if_helpful
            )
    if not quiet:
        print(f'{out}: {outcome}', flush=True)
    return outcome


main = Command(
    LearnOptions,
    learn,
    __doc__,
    'learn.py',
    usage='%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] LABELS --out NETWORK [options]',
    interrupted='interrupted before there was a network worth keeping',
    keeps_edited=False,
)
