"""List what may be wrong in the poses of a video, worst first.

    stdpose check poses.json
    stdpose check results.h5 --video clip.mp4 --out doubts.json

RESULT is a dense result of any program, or labels; it is never written to. The video is compared
with the poses by optical flow. See docs/guide/checking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stdpose_mm.constants import READ_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.text import counted, ranges

from .argument_types import fraction, whole
from .command import Command
from .options import LabelFileOptions
from .parser import argument, option
from .progress import FrameProgress

if TYPE_CHECKING:
    from stdpose_mm.labelling.review import Doubt
    from stdpose_mm.structures import VideoLabels


@dataclass(frozen=True, kw_only=True)
class CheckOptions(LabelFileOptions):
    """Options of ``stdpose check``.

    Args:
        result: Poses of a video: a file or folder in any format that stdpose reads.
        source: Format of RESULT (default: recognised from its content).
        labels_video: Video whose poses to check, if RESULT holds several videos.
        video: Video file or folder of pictures that the poses belong to.
        out: Also write the list as JSON, with proposals.
        limit: Print only the N worst; 0 prints all.
        min_score: Joints that score less than S are doubtful.
    """

    common: ClassVar = ('video', 'out', 'limit', 'min_score', 'source', 'labels_video')

    result: str = argument('RESULT', reads_folder=True)
    source: str | None = option(None, '--from', choices=READ_FORMATS, metavar='FORMAT')
    labels_video: str | None = option(metavar='NAME')
    video: Path | None = option(metavar='VIDEO_OR_FRAMES')
    out: Path | None = option(writes=True, what='doubts', suffixes=('.json',), metavar='FILE')
    limit: int = option(20, type=whole, metavar='N')
    min_score: float = option(0.5, type=fraction, metavar='S')


def check(options: CheckOptions) -> None:
    """Check the poses and print what may be wrong.

    Raises:
        InputError: If something that was given cannot be used.
    """
    from stdpose_mm.io.labels import match_frames, read_labels
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.labelling.review import CarriedPoses, check_poses
    from stdpose_mm.tracking import assign_track_ids

    reading = options.label_reading
    frames = None if options.video is None else open_frames(options.video)
    labels = read_labels(
        options.result,
        options.source,
        options.labels_video,
        options.labels_size if frames is None else frames.size,
        options.loaded_into_cvat,
        options.visible_as_1,
        options.labels_category,
    )
    if frames is None:
        labels = match_frames(labels, None, reading.frame_options)
    else:
        labels = reading.match(labels, frames)
    labels = assign_track_ids(labels)
    if not any(person.has_joint for person in labels.persons):
        raise InputError(f'{options.result} has no poses to check, give a result or labels')
    size = options.labels_size if frames is None else frames.size
    first = labels.frames[0]
    if size is None and first.width is not None and first.height is not None:
        size = first.width, first.height
    carried = None
    if frames is not None:
        carried = CarriedPoses(frames)
        with FrameProgress(len(frames)) as bar, bar.part('flow'):
            for frame in carried.carry(labels.tracks()):
                bar.advance(frame)
    doubts = check_poses(labels, size, carried, options.min_score)
    if options.out is not None:
        fields = [_to_json(doubt, labels) for doubt in doubts]
        write_json(options.out, {'video': labels.name, 'doubts': fields})
    shown = doubts[: options.limit or None]
    _print_table(shown, labels)
    more = f', the {len(shown)} worst of them above' if len(shown) < len(doubts) else ''
    poses = sum(person.has_joint for person in labels.persons)
    print(f'{labels.name}: {counted(len(doubts), "doubt")} in {counted(poses, "pose")}{more}')
    if options.out is not None:
        print(f'{options.out}: all doubts, with proposals')


def _print_table(doubts: Sequence[Doubt], labels: VideoLabels) -> None:
    """Print doubts in columns."""
    rows = [
        (
            f'{doubt.size:.2f}',
            ranges(doubt.frames),
            str(doubt.track_id) + ('' if doubt.other_id is None else f', {doubt.other_id}'),
            str(doubt.reason),
            ', '.join(labels.skeleton.keypoint_names[joint] for joint in doubt.joints) or 'all',
        )
        for doubt in doubts
    ]
    header = ('doubt', 'frames', labels.skeleton.category, 'reason', 'joints')
    rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if doubts else ():
        print(
            '  '.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def _to_json(doubt: Doubt, labels: VideoLabels) -> dict[str, Any]:
    """Describe a doubt; of its proposals, the joints that they change."""
    names = labels.skeleton.keypoint_names
    places = [
        {
            names[joint]: proposal.keypoints[joint].tolist() if proposal.labelled[joint] else None
            for joint in doubt.joints or range(len(names))
        }
        for proposal in doubt.proposals
    ]
    return {
        'frames': [*doubt.frames],
        'person': doubt.track_id,
        'other_person': doubt.other_id,
        'joints': [names[joint] for joint in doubt.joints],
        'reason': doubt.reason,
        'doubt': round(doubt.size, 3),
        'proposals': [
            {'frame': proposal.frame_index, 'person': proposal.track_id, 'keypoints': keypoints}
            for proposal, keypoints in zip(doubt.proposals, places, strict=True)
        ],
    }


main = Command(CheckOptions, check, __doc__, 'check.py')
