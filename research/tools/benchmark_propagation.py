r"""Hide most labels of videos, propagate the others, and compare methods by their error.

    python -m research.tools.benchmark_propagation data/clips/annotations --video-root \
        data/clips
    python -m research.tools.benchmark_propagation val.txt --image-root data/clips \
        --interval 7 15 \
        --model small=stdpose:C:W1,W2,W3 --model warper=posewarper:C2:W4 --out-dir work_dirs/bench

LABELS is a folder of label files, a label file, or a text file with one path a line; all frames are
labelled. The labels of every T-th frame are given; the others are hidden and used only to measure
errors. ``--out-dir`` gets the tables (``table.md``), all measurements (``table.csv``), and the
poses of every method as PoseTrack18 files in ``<method>_T<interval>/``, which
``tools/evaluate_posetrack.py`` can read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from research.comparison.benchmark import BenchmarkEntry, Conditions, benchmark_propagators
from research.comparison.comparison_report import comparison_csv, comparison_report
from research.comparison.motion import mean_motion
from stdpose_mm.cli.argument_types import whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_text
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.structures import VideoLabels
from stdpose_mm.text import counted

METHODS = ('linear', 'spline', 'flow', 'auto')

INTERVALS = (2, 3, 5, 7, 10, 15)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(LabelledVideoOptions):
    """Options of ``benchmark_propagation.py``.

    Args:
        methods: Methods to compare that need no model.
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
        bootstrap: Bootstrap samples of the videos for the 95 % intervals; 0 turns them off.
        out_dir: Folder for the results.
    """

    methods: list[str] = option(METHODS, nargs='+', choices=METHODS)
    model: list[str] = option(
        [], metavar='NAME=METHOD:CONFIG:CHECKPOINT[,CHECKPOINT...][:[FUSER][:POSE[,POSE...]]]'
    )
    evidence: list[str] = option([], metavar='NAME=[POSE[,POSE...]][:FUSER]')
    device: str = option('cpu')
    interval: list[int] = option(INTERVALS, type=int, nargs='+', metavar='T')
    reference: str | None = option(metavar='NAME')
    min_motion: float | None = option(metavar='X')
    bootstrap: int = option(1000, type=whole, metavar='N')
    out_dir: Path | None = option(
        writes=True,
        is_folder=True,
        files=('table.md', 'table.csv', '*/*.json'),
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

    entries = [
        *(BenchmarkEntry(name, name) for name in dict.fromkeys(options.methods)),
        *(BenchmarkEntry.parse(text) for text in options.model),
        *(BenchmarkEntry.parse_evidence(text) for text in options.evidence),
    ]
    names = [entry.name for entry in entries]
    videos = fast_videos(read_videos(options.labels), options.min_motion)
    comparisons = benchmark_propagators(
        videos,
        entries,
        sorted(set(options.interval)),
        Conditions(options.image_root, options.video_root, options.device, options.out_dir),
        options.bootstrap,
        options.reference or ('flow' if 'flow' in names else None),
    )
    notes = [
        f'Videos with a motion of more than {options.min_motion:g} pose sizes per frame.'
        for _ in range(options.min_motion is not None)
    ]
    report = comparison_report(comparisons, notes)
    print(report)
    if options.out_dir is not None:
        write_text(options.out_dir / 'table.md', f'{report}\n')
        write_text(options.out_dir / 'table.csv', comparison_csv(comparisons))


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
