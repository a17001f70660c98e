"""Turn a sparsely labelled training set into a dense one.

    python tools/misc/make_pseudo_labels.py data/posetrack18/annotations/train \
        --image-root data/posetrack18 --out data/posetrack18/pseudo --min-score 0.6
    torchrun --nproc_per_node 8 tools/misc/make_pseudo_labels.py LABELS --image-root ROOT \
        --out OUT --launcher pytorch --device cuda

The command writes ``OUT/annotations/<video>.json`` and ``OUT/summary.json``; see
docs/guide/pseudo_labels.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stdpose_mm.cli.argument_types import fraction, positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.constants import LAUNCHERS, LIFE_SPANS, PROPAGATION_METHODS, LifeSpan
from stdpose_mm.errors import require_packages
from stdpose_mm.processes import is_first_process, joined_processes
from stdpose_mm.text import counted


@dataclass(kw_only=True)
class PseudoLabelOptions(LabelledVideoOptions):
    """Options of ``make_pseudo_labels.py``.

    Args:
        out: Folder to write to.
        interval: Use only the labels of every T-th frame, for densely labelled sets.
        min_score: Leave propagated joints that score less than S unlabelled.
        life_span: Propagate a person from their first label to their last, or through the whole
            video.
        config: Config of the model.
        checkpoint: Weights of the model.
        device: Device that runs the model.
        method: How to fill in the labels.
        batch_size: Number of windows that the model processes at once.
        launcher: How the processes that share the videos were started; pytorch means torchrun.
    """

    out: Path = option(
        REQUIRED, writes=True, is_folder=True, files=('summary.json', 'annotations/*.json')
    )
    interval: int | None = option(type=positive, metavar='T')
    min_score: float = option(0.5, type=fraction, metavar='S')
    life_span: LifeSpan = option('labels', choices=LIFE_SPANS)
    config: str | None = option()
    checkpoint: str | None = option()
    device: str = option('cpu')
    method: str = option('auto', choices=PROPAGATION_METHODS)
    batch_size: int = option(8, type=positive)
    launcher: str = option('none', choices=LAUNCHERS)


def run(options: PseudoLabelOptions) -> None:
    """Write the set and print its numbers.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('make_pseudo_labels.py', 'torch', 'mmpose')

    from stdpose_mm.cli.progress import video_progress
    from stdpose_mm.io.labels import find_label_files
    from stdpose_mm.propagation import load_propagator
    from stdpose_mm.training.pseudo_labels import (
        PseudoLabelSettings,
        make_pseudo_labels,
        model_fingerprints,
    )

    files = find_label_files(options.labels)
    with joined_processes(options.launcher, options.device):
        propagator = load_propagator(
            options.method, options.config, options.checkpoint, options.device, options.batch_size
        )
        settings = PseudoLabelSettings(
            options.method,
            options.min_score,
            options.interval,
            options.life_span,
            *model_fingerprints(options.config, options.checkpoint),
        )
        summary = make_pseudo_labels(
            files,
            options.out,
            propagator,
            settings,
            options.image_root or '',
            options.video_root,
            video_progress,
        )
        if is_first_process():
            print(sentence(options.out, summary))


def sentence(out: Path, summary: dict[str, Any]) -> str:
    """Summarize the result in one sentence."""
    return (
        f'{out}: {counted(summary["videos"], "video")}, {summary["poses_given"]} given and '
        f'{counted(summary["poses_propagated"], "propagated pose")}, '
        f'{counted(summary["joints_dropped"], "joint")} below {summary["settings"]["min_score"]} '
        'left unlabelled'
    )


main = Command(
    PseudoLabelOptions,
    run,
    __doc__,
    'make_pseudo_labels.py',
    interrupted='interrupted, the same command continues',
)

if __name__ == '__main__':
    raise SystemExit(main())
