"""Write the query points for a point tracker, whose tracks auto can use as evidence.

    stdpose queries clip.mp4 labels.json --out queries.npz

Every labelled joint is a query; track it in both directions. See docs/guide/point_trackers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import require_video
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.text import counted

from .command import Command
from .options import LabelFileOptions
from .parser import REQUIRED, argument, option


@dataclass(frozen=True, kw_only=True)
class QueriesOptions(LabelFileOptions):
    """Options of ``stdpose queries``.

    Args:
        video: A video file or folder of pictures.
        labels: Its label file.
        labels_video: Video whose labels to use, if LABELS hold several videos.
        out: File to write the queries to (.npz).
    """

    video: str = argument('VIDEO_OR_FRAMES')
    labels: Path = argument('LABELS')
    labels_video: str | None = option(metavar='NAME')
    out: Path = option(REQUIRED, writes=True, what='queries', suffixes=('.npz',))


def write_queries(options: QueriesOptions) -> None:
    """Write the queries of one video.

    Raises:
        InputError: If something that was given cannot be used, or no joint is labelled.
    """
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.labelling.evidence.point_tracks import TrackQueries
    from stdpose_mm.labelling.propagation import given_labels

    require_video(options.video, options.labels)
    files = VideoFiles(
        Path(options.video),
        options.labels,
        options.labels_video,
        loaded_into_cvat=options.loaded_into_cvat,
    )
    frames = open_frames(options.video)
    labels = given_labels(options.label_reading.read(files, frames))
    tracking_queries = TrackQueries.from_labels(labels, frames)
    if not len(tracking_queries.queries):
        raise InputError(f'no joint is labelled in {options.labels}, label some first')
    tracking_queries.write(options.out)
    print(
        f'{options.out}: {counted(len(tracking_queries.queries), "labelled joint")} to be tracked'
    )


main = Command(QueriesOptions, write_queries, __doc__, 'stdpose queries')
