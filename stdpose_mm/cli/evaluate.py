"""Evaluate PoseTrack predictions: AP per joint, MOTA and MOTP.

    stdpose evaluate GT_DIR PRED_DIR --out metrics.json

Both folders hold one file per video, with the same names and the same frames: PoseTrack18 JSON, or
PoseTrack17's annolist (gzipped or not). Frames are paired by file name or id, or by position if
these differ. ``metrics.json`` has ``AP``, ``MOTA``, ``MOTP``, ``precision`` and ``recall`` in per
cent, per joint and mean; undefined values (the MOTA of an unannotated joint, tracking without track
ids) are null. Two such files, of one video, take the place of the folders.

    stdpose evaluate truth.csv session_3d.trc --out metrics.json

Two files of joints in space (CSV or TRC) are compared by MPJPE, the mean distance of joints in the
unit of the files, per joint and mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stdpose_mm.constants import JSON_SUFFIXES
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.disk.file_names import has_suffix
from stdpose_mm.text import counted

from .command import Command
from .parser import REQUIRED, argument, option

if TYPE_CHECKING:
    from stdpose_mm.structures import VideoLabels


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of ``stdpose evaluate``.

    Args:
        truth: Folder of ground truth: one PoseTrack18 or PoseTrack17 JSON file per video, or the
            file of one video; or a file of joints in space (.csv, .trc).
        predictions: Folder of predictions, with the same file names; or such a file.
        out: JSON file to write the metrics to.
    """

    truth: Path = argument('GT_DIR', reads_folder=True)
    predictions: Path = argument('PRED_DIR', reads_folder=True)
    out: Path = option(REQUIRED, writes=True, what='metrics', suffixes=JSON_SUFFIXES)


def evaluate(options: EvaluateOptions) -> None:
    """Evaluate the files of two folders, write the metrics and print the table.

    Raises:
        InputError: If the files are not as described.
    """
    truth, predictions = options.truth, options.predictions
    if truth.is_file() and not has_suffix(truth, JSON_SUFFIXES):
        _evaluate_scene(options)
        return
    names = label_files(truth)
    predicted = label_files(predictions)
    if truth.is_file() != predictions.is_file():
        raise InputError(f'{truth} and {predictions} are a file and a folder, give two of a kind')
    if alone := sorted(names.keys() ^ predicted.keys()):
        raise InputError(
            f'{alone[0]} is in only one of {truth} and {predictions}, expected one prediction file '
            'for each file of ground truth, and no others'
        )
    from stdpose_mm.evaluation.functional import evaluate_posetrack, format_table

    truths = {path: read_posetrack_labels(path) for path in names.values()}
    if not any(video.persons for video in truths.values()):
        raise InputError(f'no file in {truth} holds a person, expected the ground truth')
    estimates = {predicted[name]: read_posetrack_labels(predicted[name]) for name in names}
    scores = evaluate_posetrack([*truths.values()], [*estimates.values()])
    write_json(options.out, without_nan(scores.to_dict()), indent=2)
    print(
        format_table(
            {'AP': scores.ap, 'MOTA': scores.mota}, f'{counted(len(names), "video")}, per cent'
        )
    )
    motp = scores.to_dict()['MOTP']['mean']
    print(f'MOTP {"-" if math.isnan(motp) else f"{motp:.1f}"} (matched joints only)')
    for sentence in _cautions(truths, estimates):
        print(sentence)


def _cautions(
    truths: Mapping[Path, VideoLabels], estimates: Mapping[Path, VideoLabels]
) -> Iterator[str]:
    """Say what the values include that a reader may not expect."""
    from stdpose_mm.evaluation.functional import EVALUATED_JOINTS

    people = [person for video in estimates.values() for person in video.persons]
    given = sum(person.is_given for person in people)
    if any(person.has_propagated_joint for person in people) and given:
        yield (
            f'{given} of the {counted(len(people), "predicted pose")} hold given labels, which '
            'count as predictions'
        )
    joints = {
        video.skeleton.keypoint_names[joint]
        for video in (*truths.values(), *estimates.values())
        for person in video.persons
        for joint in person.labelled.nonzero()[0]
    }
    nowhere = [name for name in EVALUATED_JOINTS if name not in joints]
    if nowhere:
        yield (
            f'neither annotated nor predicted: {", ".join(nowhere)}; as in the official evaluator, '
            'an AP of 0 counts in the means'
        )
    for path, labels in {**truths, **estimates}.items():
        if None in {person.track_id for person in labels.persons if person.source != 'absent'}:
            yield f'no MOTA and MOTP: {path} holds people without track_id'
            break
    for path, labels in estimates.items():
        if any(person.scores is None and person.source != 'absent' for person in labels.persons):
            yield (
                f'AP ranks poses without scores last: {path} holds people without scores, which '
                'are a list with a number for each joint'
            )
            break


def _evaluate_scene(options: EvaluateOptions) -> None:
    """Evaluate joints in space."""
    from stdpose_mm.evaluation.functional.scene_accuracy import joint_distances
    from stdpose_mm.io.labels.tables import read_scene

    distances = joint_distances(read_scene(options.truth), read_scene(options.predictions))
    every = np.concatenate([*distances.values()])
    located = {name: of_joint[np.isfinite(of_joint)] for name, of_joint in distances.items()}
    located['mean'] = every[np.isfinite(every)]
    means = {n: float(d.mean()) if len(d) else math.nan for n, d in located.items()}
    share = 100 * len(located['mean']) / len(every)
    write_json(options.out, without_nan({'MPJPE': means, 'known': {'mean': share}}), indent=2)
    for name, mean in means.items():
        print(f'{name:<20} {mean:10.4g}')
    print(f'MPJPE in the unit of the files; {share:.1f} % of the true joints are known')


def label_files(folder: Path) -> dict[str, Path]:
    """List the JSON files of a folder, gzipped or not: video name -> file, sorted.

    The name of the video of a single file is empty.

    Raises:
        InputError: If there is no such folder, it holds no such file, or two files are of one
            video.
    """
    from stdpose_mm.io.labels import files_by_video
    from stdpose_mm.io.labels.label_files import labels_in

    if folder.is_file() and has_suffix(folder, JSON_SUFFIXES):
        return {'': folder}
    if not folder.is_dir():
        raise InputError(f'{folder} is not a folder with a JSON file per video, nor such a file')
    files = files_by_video(
        (path.name.removesuffix('.gz').removesuffix('.json'), path) for path in labels_in(folder)
    )
    if not files:
        raise InputError(f'{folder} holds no .json file, expected one per video')
    return files


def read_posetrack_labels(path: Path) -> VideoLabels:
    """Read a file by PoseTrack's rule: a joint is present unless x, y and v are all 0.

    Other values of v in prediction files (2, or a confidence) mean that the joint is present.

    Raises:
        InputError: If the file is neither a PoseTrack18 nor a PoseTrack17 file.
    """
    from stdpose_mm.io.labels import read_json
    from stdpose_mm.io.labels.posetrack17 import parse_posetrack17
    from stdpose_mm.io.labels.posetrack18 import parse_posetrack18

    data = read_json(path)
    if isinstance(data, dict) and 'annolist' in data:
        return parse_posetrack17(path, data)
    annotations = data.get('annotations') if isinstance(data, dict) else None
    for annotation in annotations if isinstance(annotations, list) else ():
        keypoints = annotation.get('keypoints') if isinstance(annotation, dict) else None
        if isinstance(keypoints, list):
            keypoints[2::3] = [_zero_or_one(v) for v in keypoints[2::3]]
    return parse_posetrack18(path, data, visibility='posetrack')


def _zero_or_one(visibility: Any) -> Any:
    return int(visibility != 0) if type(visibility) in (int, float) else visibility


def without_nan(value: Any) -> Any:
    """Replace NaN in ``value`` by None, since JSON has no NaN."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    return None if math.isnan(value) else value


main = Command(EvaluateOptions, evaluate, __doc__, 'evaluate_posetrack.py')
