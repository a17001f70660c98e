"""A tidy table: one row for each joint of a person in a frame, for R, pandas or a spreadsheet.

Written with the standard library; pandas would write the same file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from stdpose_mm.io import write_text
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.structures import VideoLabels

COLUMNS = ('frame', 'time', 'person', 'joint', 'x', 'y', 'score', 'source')


def write_tidy_csv(
    labels: VideoLabels, path: PathLike, time_of: Callable[[int], float | None] | None = None
) -> None:
    """Write every joint that has a place as a row of ``COLUMNS``, atomically.

    ``frame`` counts from 0, ``time`` is in seconds, ``person`` is the track id, x and y are pixels,
    ``source`` is 'given' or 'propagated'. Unknown values are left empty. Occlusion, boxes, and
    frames and people without joints are not written.

    Args:
        labels: The labels.
        path: The ``.csv`` file to write; gzipped if it ends in ``.gz``.
        time_of: Seconds of a frame from the first one, None if unknown.
    """
    table = io.StringIO(newline='')
    writer = csv.writer(table, lineterminator='\n')
    writer.writerow(COLUMNS)
    for person in sorted(labels.persons, key=lambda person: person.frame_index):
        time = None if time_of is None else time_of(person.frame_index)
        for joint in person.labelled.nonzero()[0]:
            writer.writerow(
                [
                    person.frame_index,
                    None if time is None else round(time, 6),
                    person.track_id,
                    labels.skeleton.keypoint_names[joint],
                    *person.keypoints[joint].tolist(),
                    None if person.scores is None else float(person.scores[joint]),
                    person.keypoint_sources[joint],
                ]
            )
    write_text(path, table.getvalue())
