"""Detect the people in the labelled frames of a set of videos, for tests with detected boxes.

    python tools/dataset_converters/detect_people.py data/posetrack18/annotations/val \
        --image-root data/posetrack18 --out data/posetrack18/detections/val.json \
        --detector rtmdet_m_8xb32-300e_coco --det-checkpoint rtmdet_m.pth --device cuda

The command writes COCO-style detections, which datasets with ``boxes='detected'`` take as
``bbox_file``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.cli.argument_types import fraction
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.constants import JSON_SUFFIXES, LAUNCHERS
from stdpose_mm.errors import InputError
from stdpose_mm.processes import (
    is_first_process,
    joined_processes,
    rank_and_count,
    tasks_of_process,
    work_together,
)
from stdpose_mm.text import counted

if TYPE_CHECKING:
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.io.labels.detections import Detections
    from stdpose_mm.structures import FrameBoxes, VideoLabels


@dataclass(frozen=True, kw_only=True)
class DetectOptions(LabelledVideoOptions):
    """Options of ``detect_people.py``.

    Args:
        out: File to write.
        det_config: A published detector by name (person, or person-nano to person-x), an ONNX file,
            or an MMDetection config.
        det_checkpoint: Weights of the detector.
        score_thr: Do not write detections that score less than S; datasets may leave out more.
        device: Device that runs the detector.
        launcher: How the processes that share the videos were started; pytorch means torchrun.
    """

    out: Path = option(
        REQUIRED, writes=True, what='detections', suffixes=JSON_SUFFIXES, metavar='JSON'
    )
    det_config: str = option(REQUIRED, '--det-config', '--detector', metavar='{NAME,FILE}')
    det_checkpoint: str | None = option(metavar='FILE')
    score_thr: float = option(0.05, type=fraction, metavar='S')
    device: str = option('cpu')
    launcher: str = option('none', choices=LAUNCHERS)


def run(options: DetectOptions) -> None:
    """Write the file and print its numbers.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    from stdpose_mm.detection import build_person_detector
    from stdpose_mm.io.labels.detections import write_detections
    from stdpose_mm.labelling.comparison.labelled_videos import read_videos

    videos = read_videos(options.labels)
    with joined_processes(options.launcher, options.device):
        detector = build_person_detector(options.det_config, options.det_checkpoint, options.device)
        detector.score_threshold = options.score_thr
        detections = detect_people(videos, detector, options.image_root, options.video_root)
        if is_first_process():
            write_detections(detections, options.out)
            frames = detections.values()
            print(
                f'{options.out}: {counted(len(frames), "frame")} of '
                f'{counted(len(videos), "video")}, '
                f'{counted(sum(len(boxes.scores) for boxes in frames), "detection")}'
            )


def detect_people(
    videos: Sequence[VideoLabels],
    detector: PersonDetector,
    image_root: Path | None,
    video_root: Path | None = None,
) -> Detections:
    """Detect the people in every labelled frame of videos.

    In a distributed run, each process handles a share of the videos.

    Args:
        videos: The labels; only the labelled frame indices and the picture ids are used.
        detector: The detector.
        image_root: Folder that the frames' file names are relative to.
        video_root: Folder that the labels' video files are relative to; None to read pictures.

    Returns:
        Picture id -> detections, in the order of the videos.

    Raises:
        InputError: If two pictures have the same id, or the pictures of a video cannot be read.
    """
    from tqdm import tqdm

    from stdpose_mm.cli.progress import hide_bars
    from stdpose_mm.io.labels.detections import require_distinct_ids
    from stdpose_mm.labelling.comparison.labelled_videos import open_video

    ids = {video.name: image_ids(video) for video in videos}
    require_distinct_ids({name: of_video.values() for name, of_video in ids.items()})
    share = tasks_of_process([len(ids[video.name]) for video in videos], *rank_and_count())
    share_of_process = {videos[number].name: videos[number] for number in share}

    def detect(name: str) -> dict[int | str, FrameBoxes]:
        frames = open_video(share_of_process[name], image_root, video_root, pictures_needed=True)
        return {image_id: detector(frames[index]) for index, image_id in ids[name].items()}

    bar = tqdm(share_of_process, unit=' videos', disable=hide_bars())
    detections, failed = work_together(bar, detect)
    if failed:
        raise InputError(failed[min(failed)])
    return {
        image_id: boxes for video in videos for image_id, boxes in detections[video.name].items()
    }


def image_ids(video: VideoLabels) -> dict[int, int | str]:
    """Map the labelled frames to the ids of their pictures, as in the datasets."""
    labelled = set(video.labelled_frame_indices)
    return {
        frame.index: frame.index if frame.image_id is None else frame.image_id
        for frame in video.frames
        if frame.index in labelled
    }


main = Command(DetectOptions, run, __doc__, 'detect_people.py')

if __name__ == '__main__':
    raise SystemExit(main())
