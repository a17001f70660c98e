r"""Hide most labels of labelled videos, propagate the others, and compare the errors of methods.

    python tools/analysis_tools/benchmark_propagation.py data/clips/annotations --video-root \
        data/clips
    python tools/analysis_tools/benchmark_propagation.py val.txt --video-root data/clips \
        --interval 7 15 --config C --checkpoint W --out-dir work_dirs/bench

LABELS is a folder of label files, one file, or a text file with one path per line; all frames must
be labelled. The labels of every T-th frame are given; the others are hidden and only used to
measure. With ``--out-dir``, the tables (``table.md``, ``table.csv``), all figures
(``comparison.json``) and the poses of every method are written; the poses are PoseTrack18 files in
``<method>_T<interval>/``, which ``tools/evaluate_posetrack.py`` reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from stdpose_mm.cli.argument_types import whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import write_json, write_text
from stdpose_mm.structures import VideoLabels

if TYPE_CHECKING:
    from stdpose_mm.labelling.propagation import BasePropagator

WITHOUT_MODEL = ('linear', 'spline', 'flow', 'auto')
AUTO_WITH = 'auto+'
"""Prefix of the name of a row with auto and a model; the model's own method follows."""

INTERVALS = (2, 3, 5, 7, 10, 15)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(LabelledVideoOptions):
    """Options of ``benchmark_propagation.py``.

    Args:
        methods: Methods to compare (default: all that need no model; with --config and --checkpoint
            also per-frame, the model's own method, and auto with the model as evidence).
        config: Config of a model.
        checkpoint: Weights of the model.
        evidence: Add a row for auto with pose networks of other projects (FILE[=PRESET] of an ONNX
            or TensorFlow Lite file, CONFIG=CHECKPOINT of MMPose, PATH=results of poses that another
            program has estimated) and with another fuser; may be repeated.
        device: Device that runs the models.
        interval: Give the labels of every T-th frame.
        bootstrap: Number of bootstrap samples of the videos for the 95 % intervals; 0 for no
            intervals.
        boxes: Boxes at which people are cropped in unlabelled frames: interpolated between the
            boxes of the given labels, or ground-truth boxes as in the published protocol.
        out_dir: Folder to write the results to.
    """

    methods: list[str] | None = option(nargs='+', choices=sorted(PROPAGATION_METHODS))
    config: str | None = option()
    checkpoint: str | None = option()
    evidence: list[str] = option([], metavar='NAME=[POSE[,POSE...]][:FUSER]')
    device: str = option('cpu')
    interval: list[int] = option(INTERVALS, type=int, nargs='+', metavar='T')
    bootstrap: int = option(1000, type=whole, metavar='N')
    boxes: str = option('interpolate', choices=('interpolate', 'gt'))
    out_dir: Path | None = option(
        writes=True,
        is_folder=True,
        files=('table.md', 'table.csv', 'comparison.json', '*/*.json'),
        metavar='DIR',
    )


def benchmark(options: BenchmarkOptions) -> None:
    """Compare the methods, print the tables and write the requested files.

    Raises:
        InputError: If an option or a file cannot be used; nothing is written then.
    """
    for interval in options.interval:
        if interval < 2:
            raise InputError(f'--interval must be at least 2, to hide labels, got {interval}')
    require_packages('benchmark_propagation.py', 'torch', 'mmpose')
    from tqdm import tqdm

    from stdpose_mm.io.disk.file_names import distinct_file_names
    from stdpose_mm.io.labels import write_posetrack18
    from stdpose_mm.labelling.comparison import compare_propagators, comparison_csv
    from stdpose_mm.labelling.comparison.compare_propagators import hidden_frames
    from stdpose_mm.labelling.comparison.labelled_videos import (
        OTHER_METHOD,
        open_video,
        read_videos,
    )

    videos = read_videos(options.labels)
    files = distinct_file_names([labels.name for labels in videos], 'video')
    intervals = sorted(set(options.interval))
    for interval in intervals:
        hidden_frames(videos, interval)
    rows = build_rows(options)
    reads_pictures = any(row.reads_pictures for row in rows.values())
    roots = options.image_root, options.video_root
    clips = [
        (open_video(labels, *roots, reads_pictures, OTHER_METHOD), labels) for labels in videos
    ]
    comparisons = []
    with tqdm(
        total=len(intervals) * len(rows) * len(videos), unit=' videos', delay=1, disable=None
    ) as bar:
        for interval in intervals:

            def keep(method: str, dense: VideoLabels, interval: int = interval) -> None:
                bar.update()
                if options.out_dir is not None:
                    folder = options.out_dir / f'{method}_T{interval}'
                    write_posetrack18(dense, folder / f'{files[dense.name]}.json', official=True)

            use_truth_boxes = options.boxes == 'gt'
            comparisons.append(
                compare_propagators(clips, rows, interval, keep, options.bootstrap, use_truth_boxes)
            )
    report = '\n\n'.join(
        comparison.table(frames=frames)
        for comparison in comparisons
        for frames in ('unlabelled', 'all')
    )
    print(report)
    if options.out_dir is not None:
        write_text(options.out_dir / 'table.md', f'{report}\n')
        write_text(options.out_dir / 'table.csv', comparison_csv(comparisons))
        figures = {
            'boxes': options.boxes,
            'videos': [labels.name for labels in videos],
            'comparisons': [comparison.to_dict() for comparison in comparisons],
        }
        write_json(options.out_dir / 'comparison.json', figures, indent=2)


def build_rows(options: BenchmarkOptions) -> dict[str, BasePropagator]:
    """Build the propagators of all rows by their names.

    Raises:
        InputError: If a propagator cannot be built, or only one of config and checkpoint is given.
    """
    from stdpose_mm.labelling.evidence import PoseNetworkFiles
    from stdpose_mm.labelling.propagation import PROPAGATORS, load_propagator

    if (options.config is None) != (options.checkpoint is None):
        raise InputError(
            'the model needs a config and a checkpoint, give both --config and --checkpoint'
        )
    names = options.methods or list(WITHOUT_MODEL)
    if options.config is not None and options.methods is None:
        names += methods_with(options.config)
    arguments: dict[str, dict[str, Any]] = {}
    for name in names:
        method = name.partition('+')[0]
        arguments[name] = {'method': method}
        if '+' in name or PROPAGATORS[method].uses_model == 'required':
            arguments[name] |= {'config': options.config, 'checkpoint': options.checkpoint}
    for text in options.evidence:
        name, equals, rest = text.partition('=')
        networks, colon, fuser = rest.partition(':')
        is_name = re.fullmatch(r'[\w.+-]+', name) and name not in arguments
        if not equals or not is_name or not rest or (colon and not fuser):
            raise InputError(
                f'a row of auto must be NAME=[POSE[,POSE...]][:FUSER] with a unique name, '
                f'got {text!r}'
            )
        files = [PoseNetworkFiles.parse(part) for part in networks.split(',') if part]
        arguments[name] = {'method': 'auto', 'pose_networks': files, 'fuser': fuser or None}
    return {
        name: load_propagator(device=options.device, **values) for name, values in arguments.items()
    }


def methods_with(config: str) -> list[str]:
    """List the rows of a model: per frame, with its own method, and with auto.

    Raises:
        InputError: If the config cannot be read or no method uses its model.
    """
    from mmpose.registry import MODELS

    from stdpose_mm.engine.config_files import read_config
    from stdpose_mm.labelling.propagation.window import method_of

    model = read_config(config).get('model') or {}
    neck = model.get('neck')
    # Errors of the config are found when the model is built.
    method = method_of((neck and MODELS.get(neck['type'])) or NoneType)
    return [*(['per-frame'] if model.get('frame_head') else []), method, AUTO_WITH + method]


main = Command(BenchmarkOptions, benchmark, __doc__, 'benchmark_propagation.py')

if __name__ == '__main__':
    raise SystemExit(main())
