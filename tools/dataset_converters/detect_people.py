"""Detect the people in the labelled frames of a set of videos, for tests with detected boxes.

    python tools/dataset_converters/detect_people.py data/posetrack18/annotations/val \
        --image-root data/posetrack18 --out data/posetrack18/detections/val.json \
        --det-config rtmdet_m_8xb32-300e_coco --det-checkpoint rtmdet_m.pth --device cuda

The command writes COCO-style detections, which datasets with ``boxes='detected'`` take as
``bbox_file``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions
from stdpose_mm.cli.parser import REQUIRED, option
from stdpose_mm.constants import LAUNCHERS
from stdpose_mm.errors import require_packages
from stdpose_mm.io.outputs import JSON_SUFFIXES
from stdpose_mm.processes import is_first_process, joined_processes
from stdpose_mm.text import counted


@dataclass(kw_only=True)
class DetectOptions(LabelledVideoOptions):
    """Options of ``detect_people.py``.

    Args:
        out: File to write.
        det_config: MMDetection config, or ONNX file.
        det_checkpoint: Weights of the detector.
        score_thr: Do not write detections that score less than S; datasets may leave out more.
        device: Device that runs the detector.
        launcher: How the processes that share the videos were started; pytorch means torchrun.
    """

    out: Path = option(
        REQUIRED, writes=True, what='detections', suffixes=JSON_SUFFIXES, metavar='JSON'
    )
    det_config: str = option(REQUIRED, metavar='FILE')
    det_checkpoint: str | None = option(metavar='FILE')
    score_thr: float = option(0.05, metavar='S')
    device: str = option('cpu')
    launcher: str = option('none', choices=LAUNCHERS)


def run(options: DetectOptions) -> None:
    """Write the file and print its numbers.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    require_packages('detect_people.py', 'torch')
    from stdpose_mm.cli.progress import video_progress
    from stdpose_mm.detection import build_person_detector
    from stdpose_mm.detection.detect_people import detect_people
    from stdpose_mm.io.labelled_videos import read_videos
    from stdpose_mm.io.labels.detections import write_detections

    videos = read_videos(options.labels)
    with joined_processes(options.launcher, options.device):
        detector = build_person_detector(
            options.det_config, options.det_checkpoint, options.device, options.score_thr
        )
        detections = detect_people(
            videos, detector, options.image_root, options.video_root, video_progress
        )
        if is_first_process():
            write_detections(detections, options.out)
            frames = detections.values()
            print(
                f'{options.out}: {counted(len(frames), "frame")} of '
                f'{counted(len(videos), "video")}, '
                f'{counted(sum(len(found.scores) for found in frames), "detection")}'
            )


main = Command(DetectOptions, run, __doc__, 'detect_people.py')

if __name__ == '__main__':
    raise SystemExit(main())
