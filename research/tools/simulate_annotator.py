r"""Measure how many frames must be labelled until propagation is accurate enough.

    python -m research.tools.simulate_annotator val.txt --video-root data/clips --method \
        flow --step 10
    python -m research.tools.simulate_annotator data/clips/annotations --image-root \
        data/clips --out-dir out

LABELS is a folder of label files, a label file, or a text file with one path a line; all frames are
labelled. A simulated annotator takes labels from them until the PCK@0.1 over all joints of all
videos reaches the target. "uniform": every T-th frame of every video, T falling from
``--max-interval``. "suggested": a frame in the middle of everyone's track, then ``--step`` frames
at a time where ``stdpose_mm.review.rank_suggestions`` expects the largest gain in the whole set;
only the affected gaps are propagated again. ``--plan`` labels the frames that ``stdpose plan``
names before there is a label. ``--hindsight`` shows what the choice of frames could save at best:
every possible gap is propagated, and the frames are chosen by the true errors, all together and one
by one; use short videos. ``--out-dir`` gets the table (``table.md``), the states (``effort.json``)
and a plot (``effort.png``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from research.annotation.effort_plot import labelling_effort
from research.annotation.label_choice_limits import choose_in_hindsight
from research.annotation.simulated_annotator import (
    MEASURED,
    MEASUREMENTS,
    AnnotatedVideo,
    LabellingState,
    Measurement,
    effort_table,
    label_planned,
    label_suggested,
    label_uniformly,
    labels_at,
)
from research.arguments import ModelOptions
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text
from stdpose_mm.io.labelled_videos import OTHER_METHOD, open_video, read_videos
from stdpose_mm.text import counted
from stdpose_mm.visualization.plots import save_figure


@dataclass(kw_only=True)
class SimulateAnnotatorOptions(LabelledVideoOptions, ModelOptions):
    """Options of ``simulate_annotator.py``.

    Args:
        method: Propagation method.
        target_pck: Target PCK@0.1 in per cent.
        step: Number of suggested frames to label between two propagations.
        max_interval: Largest interval, with which uniform labelling starts.
        plan: Also label frames that are planned before anything is labelled, by the motion in the
            pictures, by the boxes of LABELS, or by both; several values are tried in turn.
        hindsight: Also choose frames in hindsight, by the true errors of every possible gap.
        out_dir: Folder for the results.
    """

    method: str = option('auto', choices=PROPAGATION_METHODS)
    target_pck: float = option(95.0, metavar='P')
    step: int = option(10, type=positive, metavar='N')
    max_interval: int = option(30, type=positive, metavar='T')
    plan: list[Measurement] = option([], nargs='+', choices=MEASUREMENTS)
    hindsight: bool = option(False)
    out_dir: Path | None = option(
        writes=True, is_folder=True, files=('effort.json', 'effort.png', 'table.md'), metavar='DIR'
    )


def simulate(args: SimulateAnnotatorOptions) -> None:
    """Label in both ways, print the table and write the requested files.

    Raises:
        InputError: If an option or a file cannot be used; nothing is written then.
    """
    if not 0 < args.target_pck < 100:
        raise InputError(f'--target-pck must be between 0 and 100, got {args.target_pck:g}')
    if args.max_interval < 2:
        raise InputError(f'--max-interval must be at least 2, got {args.max_interval}')

    labels = read_videos(args.labels)
    propagator = VideoPosePropagator(args.config, args.checkpoint, args.device, method=args.method)
    pictures_needed = propagator.propagator.reads_pictures or bool({*args.plan} - {'boxes'})
    videos = [
        AnnotatedVideo(
            open_video(video, args.image_root, args.video_root, pictures_needed, OTHER_METHOD),
            video,
            propagator.propagator,
        )
        for video in labels
    ]
    uniform = sorted(
        progress(label_uniformly(videos, args.target_pck, args.max_interval), 'uniform'),
        key=lambda state: state.labelled,
    )
    suggested = until(
        progress(label_suggested(videos, propagator.method, args.step), 'suggested'),
        args.target_pck,
    )
    num_frames = sum(len(video.labelled_frames) for video in videos)
    table = effort_table(uniform, suggested, args.target_pck, num_frames)
    report = (
        f'{table}\n\n{counted(len(videos), "video")} with {num_frames:,} labelled frames, method '
        f'{propagator.method}, {counted(args.step, "suggested frame")} between two propagations.'
    )
    for measured in args.plan:
        report += '\n\n' + plan_report(
            videos, uniform, measured, propagator.method, args.target_pck
        )
    if args.hindsight:
        report += '\n\n' + hindsight_report(videos, uniform, args.target_pck)
    print(report)
    if args.out_dir is not None:
        efforts = {'uniform': uniform, 'suggested': suggested}
        write_results(args, args.out_dir, efforts, num_frames, report)


def plan_report(
    videos: Sequence[AnnotatedVideo],
    uniform: Sequence[LabellingState],
    measured: Measurement,
    method: str,
    target: float,
) -> str:
    """Report the gain of planning before the first label, and whether its forecast holds."""
    planned = [video.plan_first_labels(measured, method) for video in videos]
    states = list(progress(label_planned(videos, planned, target), 'planned'))
    announced, needed = states[0], labels_at(states, target, 'all')
    between = labels_at(uniform, target, 'all')
    text = (
        f'Planned before the first label, from {measured}: {announced.labelled} labels were '
        f'announced for a PCK@0.1 of {target:g} % over all frames and reached '
        f'{announced.pck_all:.1f} %'
    )
    if needed is None or between is None:
        return f'{text}.'
    return (
        f'{text}; {needed:.0f} reach it, {100 * (1 - needed / between):.0f} % fewer than between '
        f'two T, and {100 * (announced.labelled / needed - 1):+.0f} % were announced.'
    )


def hindsight_report(
    videos: Sequence[AnnotatedVideo], uniform: Sequence[LabellingState], target: float
) -> str:
    """Describe in a sentence what the choice of frames could save at best."""
    costs = [video.measure_gap_errors() for video in tqdm(videos, 'gaps', unit=' videos', delay=1)]
    # Without labels, all joints count as wrong.
    num_joints = round(sum(float(of_video[0, -1]) for of_video in costs))
    best = choose_in_hindsight(costs, num_joints, target)
    between = labels_at(uniform, target, 'all')
    shares = [
        '' if between is None else f' ({100 * (1 - number / between):.0f} % fewer)'
        for number in (best.together, best.one_by_one)
    ]
    return (
        f'If the true errors of every gap are known, a PCK@0.1 of {target:g} % over all frames '
        f'takes {counted(best.together, "label")}{shares[0]} if they are chosen together, and '
        f'{best.one_by_one}{shares[1]} if they are chosen one by one.'
    )


def progress(states: Iterator[LabellingState], name: str) -> Iterator[LabellingState]:
    """Yield the states, and show progress on the terminal."""
    with tqdm(states, desc=name, unit=' rounds', delay=1) as bar:
        for state in bar:
            # A bar that is drawn before its delay has passed does not end with a line break.
            values = {'labelled': state.labelled, 'pck': f'{state.pck_unlabelled:.1f}'}
            bar.set_postfix(values, refresh=False)
            yield state


def until(states: Iterator[LabellingState], target: float) -> list[LabellingState]:
    """Return the states up to the first that reaches the target in both measures."""
    reached = []
    for state in states:
        reached.append(state)
        if min(state.pck_all, state.pck_unlabelled) >= target:
            break
    return reached


def write_results(
    args: SimulateAnnotatorOptions,
    out_dir: Path,
    efforts: Mapping[str, Sequence[LabellingState]],
    num_frames: int,
    report: str,
) -> None:
    """Write the plot, the table and, last, the states."""
    panels = {
        f'{measured} frames': {
            name: [(100 * state.labelled / num_frames, state.pck(measured)) for state in states]
            for name, states in efforts.items()
        }
        for measured in MEASURED
    }
    save_figure(labelling_effort(panels, args.target_pck), out_dir / 'effort.png')
    write_text(out_dir / 'table.md', f'{report}\n')
    fields = {
        'target_pck': args.target_pck,
        'step': args.step,
        'frames': num_frames,
        **{name: [asdict(state) for state in states] for name, states in efforts.items()},
    }
    write_json(out_dir / 'effort.json', fields, indent=2)


main = Command(SimulateAnnotatorOptions, simulate, __doc__, 'simulate_annotator.py')

if __name__ == '__main__':
    raise SystemExit(main())
