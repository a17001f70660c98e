"""Write labels of people from several data sets with one set of joints, to train a network on all.

    python -m research.tools.merge_labels data/people data/jhmdb_clips/annotations \
        data/synthetic/annotations/train

A joint that a data set does not label is not labelled in its files; names for nearly the same place
of the body, such as JHMDB's neck and PoseTrack's head_bottom, become one joint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.text import counted

PEOPLE = Skeleton(
    (
        *('nose', 'head_bottom', 'head_top', 'left_shoulder', 'right_shoulder'),
        *('left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip'),
        *('left_knee', 'right_knee', 'left_ankle', 'right_ankle', 'head', 'belly'),
    )
)
"""The joints of PoseTrack18 that people label, and those of JHMDB."""


@dataclass(frozen=True, kw_only=True)
class MergeLabelsOptions:
    """Options of ``merge_labels.py``.

    Args:
        out: Folder for one label file of each video.
        labels: Folders of label files, label files, or text files that list them.
    """

    out: Path = argument('OUT', writes=True, is_folder=True, files=('*.json',))
    labels: list[Path] = argument('LABELS', nargs='+', type=Path)


def with_joints(labels: VideoLabels, skeleton: Skeleton) -> VideoLabels:
    """Give labels the joints of another skeleton; joints that they lack are not labelled.

    Raises:
        InputError: If they share no joint.
    """
    mapping = JointMapping.by_meaning(labels.skeleton, skeleton)
    if mapping is None:
        raise InputError(
            f'{labels.name} labels {", ".join(labels.skeleton.keypoint_names)}, none of which is a '
            'joint of people, leave it out'
        )
    persons = [
        replace(
            person,
            keypoints=mapping.to_model(person.keypoints),
            visibility=mapping.to_model(person.visibility),
            scores=None if person.scores is None else mapping.to_model(person.scores),
            # Set anew from the visibility.
            keypoint_sources=None,  # type: ignore[arg-type]
        )
        for person in labels.persons
        if np.any(mapping.to_model(person.labelled))
    ]
    return replace(labels, skeleton=skeleton, persons=tuple(persons))


def merge(args: MergeLabelsOptions) -> None:
    """Write the files.

    Raises:
        InputError: If labels cannot be read or share no joint with people, or two videos have the
            same name.
    """
    videos = [video for path in args.labels for video in read_videos(path)]
    names = [video.name for video in videos]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InputError(f'several videos are named {min(repeated)!r}, give each a name of its own')
    for video in [with_joints(video, PEOPLE) for video in videos]:
        write_posetrack18(video, args.out / f'{video.name}.json')
    print(f'{counted(len(videos), "video")} with {PEOPLE.num_keypoints} joints in {args.out}')


main = Command(MergeLabelsOptions, merge, __doc__, 'merge_labels.py')

if __name__ == '__main__':
    raise SystemExit(main())
