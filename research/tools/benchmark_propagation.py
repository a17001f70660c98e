r"""Hide most labels of videos, propagate the others, and compare methods by their error.

    python -m research.tools.benchmark_propagation data/clips/annotations --video-root \
        data/clips
    python -m research.tools.benchmark_propagation val.txt --video-root data/clips \
        --config C --checkpoint W
    python -m research.tools.benchmark_propagation val.txt --image-root data/clips \
        --interval 7 15 \
        --model small=stdpose:C:W1,W2,W3 --model warper=posewarper:C2:W4 --out-dir work_dirs/bench

LABELS is a folder of label files, a label file, or a text file with one path a line; all frames are
labelled. The labels of every T-th frame are given; the others are hidden and used only to measure
errors. ``--out-dir`` gets the tables (``table.md``, ``table.csv``), all measurements
(``comparison.json``), plots, and the poses of every method as PoseTrack18 files in
``<method>_T<interval>/``, which ``tools/evaluate_posetrack.py`` can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from mmpose.registry import MODELS
from tqdm import tqdm

from research.comparison.benchmark import BenchmarkEntry, Conditions, benchmark_propagators
from research.comparison.comparison_plots import plot_comparisons
from research.comparison.comparison_report import comparison_csv, comparison_report
from research.comparison.motion import mean_motion
from research.comparison.seed_comparison import FAST_MOTION
from stdpose_mm.cli.argument_types import whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json, write_text
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.propagation.window import method_of
from stdpose_mm.structures import VideoLabels
from stdpose_mm.text import counted

WITHOUT_MODEL = ('linear', 'spline', 'flow', 'auto')
AUTO_WITH = 'auto+'
"""Prefix of the name of auto with a model, before the name of the model's own method."""

METHODS_OF_MODELS = [
    name
    for name, folder in PROPAGATION_METHODS.items()
    if folder == 'window' and name != 'per-frame'
]

INTERVALS = (2, 3, 5, 7, 10, 15)

DEFAULT_REFERENCE = 'flow'

BOXES = {
    'interpolate': 'Boxes are interpolated between those of the given labels.',
    'gt': 'Boxes are the ground truth, also in unlabelled frames.',
}


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(LabelledVideoOptions):
    """Options of ``benchmark_propagation.py``.

    Args:
        methods: Methods to compare (default: all that need no model; with --config and --checkpoint
            also per-frame, the model's own method, and auto with the model as evidence).
        config: Config of the model.
        checkpoint: Weights of the model, one file for each seed.
        model: Add a row of a method with its own model, for auto also with another fuser and with
            pose networks as for --evidence; may be repeated.
        evidence: Add a row of auto with pose networks of other projects (FILE[=PRESET] of an ONNX
            or TensorFlow Lite file, CONFIG=CHECKPOINT of MMPose, PATH=results of poses that another
            program has estimated), with another fuser, with networks that replace the package's
            (FOLDER=stdpose, FILE=matcher), or, with the word no-stdpose, without its STDPose; may
            be repeated.
        device: Device of the models.
        interval: Values of T; every T-th frame is given.
        reference: Method with which the others are compared (flow, if it is included).
        min_motion: Use only videos in which joints move by more than X pose sizes per frame, such
            as 0.02.
        breakdown: Also print tables by motion of the clip, speed of the joint, occlusion and
            position.
        fast: In the breakdown, clips with more motion than X are fast (0.02).
        bootstrap: Bootstrap samples of the videos for the 95 % intervals; 0 turns them off.
        boxes: Boxes of people in unlabelled frames: interpolated between the given labels, or
            ground truth as in the published protocol.
        out_dir: Folder for the results.
    """

    methods: list[str] | None = option(
        nargs='+', choices=sorted({*PROPAGATORS, *(AUTO_WITH + name for name in METHODS_OF_MODELS)})
    )
    config: str | None = option()
    checkpoint: str | None = option(metavar='W[,W...]')
    model: list[str] = option(
        [], metavar='NAME=METHOD:CONFIG:CHECKPOINT[,CHECKPOINT...][:[FUSER][:POSE[,POSE...]]]'
    )
    evidence: list[str] = option([], metavar='NAME=[POSE[,POSE...]][:FUSER]')
    device: str = option('cpu')
    interval: list[int] = option(INTERVALS, type=int, nargs='+', metavar='T')
    reference: str | None = option(metavar='NAME')
    min_motion: float | None = option(metavar='X')
    breakdown: bool = option(False)
    fast: float | None = option(metavar='X')
    bootstrap: int = option(1000, type=whole, metavar='N')
    boxes: str = option('interpolate', choices=BOXES)
    out_dir: Path | None = option(
        writes=True,
        is_folder=True,
        files=('table.md', 'table.csv', 'comparison.json', '*.png', '*/*.json'),
        metavar='DIR',
    )


def benchmark(options: BenchmarkOptions) -> None:
    """Compare the methods, print the tables and write the requested files.

    Raises:
        InputError: If an option or a file cannot be used; nothing is written then.
    """
    for interval in options.interval:
        if interval < 2:
            raise InputError(f'--interval must be at least 2 to hide labels, got {interval}')

    entries = find_entries(options)
    fast = FAST_MOTION if options.fast is None else options.fast
    names = [entry.name for entry in entries]
    videos = fast_videos(read_videos(options.labels), options.min_motion)
    comparisons = benchmark_propagators(
        videos,
        entries,
        sorted(set(options.interval)),
        Conditions(
            options.image_root,
            options.video_root,
            options.device,
            options.boxes == 'gt',
            options.out_dir,
        ),
        options.bootstrap,
        options.reference or (DEFAULT_REFERENCE if DEFAULT_REFERENCE in names else None),
        fast,
        lambda results, total: tqdm(results, total=total, unit=' videos', delay=1, disable=None),
    )
    notes = [BOXES[options.boxes]]
    if options.min_motion is not None:
        notes.append(
            f'Videos with a motion of more than {options.min_motion:g} pose sizes per frame.'
        )
    report = comparison_report(comparisons, notes, options.breakdown)
    print(report)
    if options.out_dir is not None:
        write_text(options.out_dir / 'table.md', f'{report}\n')
        write_text(options.out_dir / 'table.csv', comparison_csv(comparisons))
        plot_comparisons(comparisons, options.out_dir)
        fields = {
            'boxes': options.boxes,
            'min_motion': options.min_motion,
            'fast': fast,
            'methods': [asdict(entry) for entry in entries],
            'videos': [labels.name for labels in videos],
            'comparisons': [comparison.to_dict() for comparison in comparisons],
        }
        write_json(options.out_dir / 'comparison.json', fields, indent=2)


def find_entries(options: BenchmarkOptions) -> list[BenchmarkEntry]:
    """Find the rows: ``--methods``, or all that the other options allow, and ``--model``.

    Raises:
        InputError: If a method cannot be built, or only one of config and checkpoint is given.
    """
    if (options.config is None) != (options.checkpoint is None):
        raise InputError(
            'the model needs a config and a checkpoint, give both --config and --checkpoint'
        )
    names = options.methods
    if names is None:
        names = [
            *WITHOUT_MODEL,
            *(with_model(options.config) if options.config is not None else ()),
        ]
        names = [name for name in names if name.partition('+')[0] in PROPAGATORS]
    model = (options.config, tuple(options.checkpoint.split(',')) if options.checkpoint else ())
    entries = []
    for name in dict.fromkeys(names):
        method = name.partition('+')[0]
        needs_model = name.startswith(AUTO_WITH) or PROPAGATORS[method].uses_model == 'required'
        entries.append(BenchmarkEntry(name, method, *(model if needs_model else ())))
    return [
        *entries,
        *(BenchmarkEntry.parse(text) for text in options.model),
        *(BenchmarkEntry.parse_evidence(text) for text in options.evidence),
    ]


def with_model(config: str) -> list[str]:
    """List a model's entries: on single frames, in its own method, and as evidence for auto.

    Raises:
        InputError: If the config cannot be read or no method uses its model.
    """
    model: Mapping[str, Any] = read_config(config).get('model') or {}
    neck = model.get('neck')
    # Errors in the config are found when the model is built.
    own = method_of((neck and MODELS.get(neck['type'])) or NoneType)
    return [*(['per-frame'] if model.get('frame_head') else []), own, AUTO_WITH + own]


def fast_videos(videos: list[VideoLabels], min_motion: float | None) -> list[VideoLabels]:
    """Return the videos with more motion than ``min_motion``, or all videos without a minimum.

    Raises:
        InputError: If there is no such video.
    """
    if min_motion is None:
        return videos

    motion = [mean_motion(labels) for labels in videos]
    fast = [labels for labels, value in zip(videos, motion, strict=True) if value > min_motion]
    if not fast:
        raise InputError(
            f'none of the {counted(len(videos), "video")} moves by more than {min_motion:g} pose '
            f'sizes per frame, the fastest by {max(motion):.4f}; lower --min-motion'
        )
    return fast


main = Command(BenchmarkOptions, benchmark, __doc__, 'benchmark_propagation.py')

if __name__ == '__main__':
    raise SystemExit(main())
