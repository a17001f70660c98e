"""SLEAP-NN on the labels that a propagation gets: export, training, prediction and errors.

SLEAP-NN runs from its own command line, so that it need not be installed beside this package.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import joint_errors, pair_tracks
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.labels.coco import VIDEO_FIELDS
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import PersonLabel, VideoLabels

MODEL = 'model'
_CONFIG = 'config.yaml'


def cut_to_gaps(labels: VideoLabels, interval: int) -> VideoLabels:
    """Keep the labels up to the last multiple of ``interval`` after the first labelled frame.

    All other frames then lie between two given ones.

    Raises:
        InputError: If the labels end before the second given frame.
    """
    labels = given_labels(labels)
    frames = labels.labelled_frame_indices
    if not frames or frames[-1] - frames[0] < interval:
        raise InputError(
            f'video {labels.name!r} has no labels {interval} frames apart, give a smaller interval'
        )
    last = frames[0] + (frames[-1] - frames[0]) // interval * interval
    return labels.keep_frames(range(frames[0], last + 1))


def write_project(labels: VideoLabels, video: Path, path: Path) -> None:
    """Write all poses as labels of a SLEAP project that refers to a video file."""
    labels = replace(
        labels.with_persons([person.with_source('given') for person in labels.persons]),
        extra={VIDEO_FIELDS: {'file_name': str(video.resolve())}},
    )
    write_labels(labels, path, 'sleap')


def run_tool(command: Sequence[object], log: Path, limit: int | None = None) -> float:
    """Run a command of another environment.

    Args:
        command: The command; PYTHONPATH is not passed on, since it is of this environment.
        log: File for its output.
        limit: Processor seconds after which it is stopped.

    Returns:
        The processor seconds that it took, including system time.

    Raises:
        InputError: If it fails.
    """

    def limit_time() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))

    variables = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    before = _seconds_of_children()
    with log.open('w') as output:
        done = subprocess.run(
            [*map(str, command)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            preexec_fn=limit_time,
        )
    if done.returncode not in (0, -signal.SIGXCPU):
        raise InputError(f'{command[0]} ended with code {done.returncode}, see {log}')
    return _seconds_of_children() - before


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(
    sleap_nn: Path, project: Path, folder: Path, limit: int, overrides: Sequence[str]
) -> float:
    """Train the centred-instance network that SLEAP-NN recommends for a project.

    The best checkpoint of the epochs that finish in time is in ``folder / MODEL``.

    Args:
        sleap_nn: The command.
        project: Its labelled frames.
        folder: Folder for configs, logs and the model.
        limit: Processor seconds.
        overrides: Changes of the recommended config, such as 'trainer_config.seed=1'.

    Returns:
        The processor seconds of the training.

    Raises:
        InputError: If it fails, or no epoch finishes in time.
    """
    config = folder / _CONFIG
    options = ['--auto', '--pipeline', 'topdown', '--output', config]
    run_tool([sleap_nn, 'config', project, *options], folder / 'config.log')
    settings = [
        f'trainer_config.ckpt_dir={folder}',
        f'trainer_config.run_name={MODEL}',
        'trainer_config.visualize_preds_during_training=false',
        *overrides,
    ]
    network = config.with_name(f'{config.stem}_centered_instance.yaml')
    log = folder / 'train.log'
    seconds = run_tool([sleap_nn, 'train', network, *settings], log, limit)
    if not (folder / MODEL / 'best.ckpt').exists():
        raise InputError(f'{sleap_nn} finished no epoch in {limit} processor seconds, see {log}')
    return seconds


def predict(sleap_nn: Path, crops: Path, folder: Path, out: Path) -> float:
    """Let the trained network find the joints in crops around the poses of a project.

    Returns:
        The processor seconds it took.
    """
    # As in a propagation, every joint gets its most likely position, however unlikely.
    options = ['--only_labeled_frames', '--peak_threshold', '-1']
    files = ['--data_path', crops, '--model_paths', folder / MODEL, '--output_path', out]
    return run_tool([sleap_nn, 'predict', *options, *files], out.with_suffix('.log'))


def name_as_truth(prediction: VideoLabels, truth: VideoLabels) -> VideoLabels:
    """Give every predicted pose the track id of the nearest true pose in its frame.

    The distance of two poses is that of their mean joint positions, and pairs are chosen to
    minimise the sum of distances. Poses without a counterpart are left out.
    """
    from scipy.optimize import linear_sum_assignment

    named: list[PersonLabel] = []
    for frame in prediction.labelled_frame_indices:
        found, people = prediction[frame], truth[frame]
        offsets = _centres(found)[:, None] - _centres(people)
        pairs = zip(*linear_sum_assignment(np.linalg.norm(offsets, axis=-1)), strict=True)
        named += [replace(found[i], track_id=people[j].track_id, extra={}) for i, j in pairs]
    return prediction.with_persons(named)


def _centres(people: Sequence[PersonLabel]) -> np.ndarray:
    return np.array([person.keypoints[person.labelled].mean(axis=0) for person in people])


def errors_between(truth: VideoLabels, prediction: VideoLabels, interval: int) -> np.ndarray:
    """Measure the errors of a prediction on the frames between given ones.

    Args:
        truth: Labels from :func:`cut_to_gaps`.
        prediction: Poses with the same track ids.
        interval: Distance between the given frames.

    Returns:
        [N] distances in sizes of the pose, infinite without a prediction, of the joints that are
        labelled in the frame and in the given frames before and after.
    """
    first = truth.labelled_frame_indices[0]
    labelled = {(p.track_id, p.frame_index): p.labelled for p in truth.persons}
    counted = []
    for track, frame in sorted(labelled):
        before = frame - (frame - first) % interval
        ends = [labelled.get((track, end)) for end in (before, before + interval)]
        is_counted = labelled[track, frame].copy()
        for end in ends:
            is_counted &= False if frame == before or end is None else end
        counted.append(is_counted)
    names = truth.skeleton.keypoint_names
    errors = joint_errors(pair_tracks(truth, prediction, names, None)).relative
    return errors[np.array(counted)]
