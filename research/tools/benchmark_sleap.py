r"""Compare propagation with SLEAP-NN, trained on the same labelled frames for a given time.

    python -m research.tools.benchmark_sleap flies.mp4 labels.json --interval 15 \
        --sleap-nn ~/sleap/bin/sleap-nn --out-dir work_dirs/sleap15

The labels of every T-th frame are exported as a SLEAP project. SLEAP-NN recommends a top-down
config for it and trains the network for single animals, which then runs on crops of the other
frames. It needs no network that finds animals, since the crops are around the poses of ``auto`` or
around the true poses. Identities are taken from the truth. All this favours SLEAP-NN.

It needs sleap-io here, and sleap-nn in a separate environment (``pip install 'sleap-nn[torch]'``).
It does not run on Windows, which cannot limit the processor time.

It prints processor seconds and, for joints that are labelled in a frame and at both ends of its
gap, the per cent within 5 and 10 % of the pose's size and the mean error in per cent of this size.

The figures in research/docs/tried.md are for a view from above, with short epochs, so that little
training is lost at the end of the time; it uses ``--set`` with

    data_config.augmentation_config.geometric.rotation_min=-180
    data_config.augmentation_config.geometric.rotation_max=180
    trainer_config.min_train_steps_per_epoch=50 trainer_config.early_stopping.patience=20
    trainer_config.lr_scheduler.reduce_lr_on_plateau.patience=20
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from research.comparison.sleap import (
    cut_to_gaps,
    errors_between,
    name_as_truth,
    predict,
    train,
    write_project,
)
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, argument, option
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video import FrameView, open_frames
from stdpose_mm.propagation import load_propagator, propagate_subsampled, subsample_labels


@dataclass(kw_only=True)
class BenchmarkSleapOptions:
    """Options of ``benchmark_sleap.py``.

    Args:
        video: A video file.
        labels: Its dense labels, with track ids.
        interval: Distance T between the labelled frames.
        sleap_nn: The command sleap-nn in its environment.
        seconds: Processor seconds of the training.
        crops: Poses around which crops are taken.
        set: Changes of the recommended config, such as trainer_config.seed=1.
        out_dir: Folder for projects, configs, logs and the model.
    """

    video: Path = argument('VIDEO')
    labels: Path = argument('labels')
    interval: int = option(15, type=positive, metavar='T')
    sleap_nn: Path = option(REQUIRED)
    seconds: int = option(600, type=positive)
    crops: list[str] = option(('auto',), choices=('auto', 'truth'), nargs='+')
    set: list[str] = option((), nargs='+', metavar='KEY=VALUE')
    out_dir: Path = option(REQUIRED)


def run(args: BenchmarkSleapOptions) -> None:
    """Export, train, predict, measure and print.

    Raises:
        InputError: If a file cannot be used, or sleap-nn fails.
    """
    truth = cut_to_gaps(read_labels(args.labels), args.interval)
    given = subsample_labels(truth, args.interval)
    hidden = {*truth.labelled_frame_indices} - {*given.labelled_frame_indices}
    args.out_dir.mkdir(parents=True, exist_ok=True)
    project = args.out_dir / 'labels.slp'
    write_project(given, args.video, project)
    seconds = train(args.sleap_nn, project, args.out_dir, args.seconds, args.set)
    print(f'{len(given.persons)} labelled poses, training {seconds:.0f} processor seconds')
    for name in args.crops:
        poses = truth
        if name == 'auto':
            view = FrameView(open_frames(args.video), range(truth.labelled_frame_indices[-1] + 1))
            poses = propagate_subsampled(view, truth, args.interval, load_propagator())
            errors = errors_between(truth, poses, args.interval)
            print(f'auto: {_figures(errors)}')
        crops, found = args.out_dir / f'{name}.slp', args.out_dir / f'at_{name}.slp'
        write_project(poses.keep_frames(hidden), args.video, crops)
        seconds = predict(args.sleap_nn, crops, args.out_dir, found)
        errors = errors_between(truth, name_as_truth(read_labels(found), truth), args.interval)
        print(f'SLEAP-NN, crops of {name}: {_figures(errors)}, {seconds:.0f} processor seconds')


def _figures(errors: np.ndarray) -> str:
    right = ' / '.join(f'{100 * (errors <= limit).mean():.1f}' for limit in (0.05, 0.1))
    mean = 100 * errors[np.isfinite(errors)].mean()
    return f'{right} / {mean:.2f} ({len(errors)} joints)'


main = Command(BenchmarkSleapOptions, run, __doc__, 'benchmark_sleap.py')

if __name__ == '__main__':
    raise SystemExit(main())
