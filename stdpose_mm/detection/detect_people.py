"""Detection of people in the labelled frames of a set of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stdpose_mm.errors import InputError
from stdpose_mm.io.labelled_videos import open_video
from stdpose_mm.io.labels.detections import Detections, require_distinct_ids
from stdpose_mm.processes import rank_and_count, tasks_of_process, work_together
from stdpose_mm.structures import FrameBoxes, VideoLabels

from .person_detector import PersonDetector


def detect_people(
    videos: Sequence[VideoLabels],
    detector: PersonDetector,
    image_root: Path | None,
    video_root: Path | None = None,
    progress: Callable[[Iterable[str], int], Iterable[str]] = lambda names, total: names,
) -> Detections:
    """Detect the people in every labelled frame of videos.

    In a distributed run, each process handles a share of the videos.

    Args:
        videos: The labels; only the labelled frame indices and the picture ids are used.
        detector: The detector.
        image_root: Folder that the frames' file names are relative to.
        video_root: Folder that the labels' video files are relative to; None to read pictures.
        progress: Wraps the iteration over the names of the videos of this process; it also gets
            their number.

    Returns:
        Picture id -> detections, in the order of the videos.

    Raises:
        InputError: If two pictures have the same id, or the pictures of a video cannot be read.
    """
    ids = {video.name: _image_ids(video) for video in videos}
    require_distinct_ids({name: of_video.values() for name, of_video in ids.items()})
    share = tasks_of_process([len(ids[video.name]) for video in videos], *rank_and_count())
    own = {videos[number].name: videos[number] for number in share}

    def detect(name: str) -> dict[int | str, FrameBoxes]:
        frames = open_video(own[name], image_root, video_root, pictures_needed=True)
        return {image_id: detector(frames[index]) for index, image_id in ids[name].items()}

    found, failed = work_together(progress(own, len(own)), detect)
    if failed:
        raise InputError(failed[min(failed)])
    return {image_id: boxes for video in videos for image_id, boxes in found[video.name].items()}


def _image_ids(video: VideoLabels) -> dict[int, int | str]:
    """Map the labelled frames to the ids of their pictures, as in the datasets."""
    labelled = set(video.labelled_frame_indices)
    return {
        frame.index: frame.index if frame.image_id is None else frame.image_id
        for frame in video.frames
        if frame.index in labelled
    }
