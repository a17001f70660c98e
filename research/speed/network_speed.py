"""Processor time a picture of a one-stage network, and of a person detector with a top-down one.

    python -m research.speed.network_speed --one-stage yolo.onnx --detector yolox.onnx=yolox
        --top-down rtmpose.onnx=rtmpose-coco --people 1 4 20

The pictures are generated, of 1280x720 pixels. Weights do not matter, only the networks' graphs:
boxes are those of the people that were drawn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
from stdpose_mm.detection import build_person_detector
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.one_stage_network import OneStageNetwork
from stdpose_mm.labelling.evidence.pose_network import PoseNetwork
from stdpose_mm.structures import person_box


def milliseconds(look: Callable[[np.ndarray], object], pictures: list[np.ndarray]) -> float:
    """Measure the processor time a picture; the first one only prepares the network."""
    look(pictures[0])
    began = time.process_time()
    for picture in pictures[1:]:
        look(picture)
    return 1000 * (time.process_time() - began) / (len(pictures) - 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ('one-stage', 'detector', 'top-down'):
        parser.add_argument(f'--{name}', required=True)
    parser.add_argument('--people', type=int, nargs='+', default=[1, 4, 20])
    parser.add_argument('--frames', type=int, default=16)
    args = parser.parse_args()
    one_stage = load_pose_network(PoseNetworkFiles.parse(args.one_stage))
    top_down = load_pose_network(PoseNetworkFiles.parse(args.top_down))
    assert isinstance(one_stage, OneStageNetwork)
    assert isinstance(top_down, PoseNetwork)
    detector = build_person_detector(args.detector)
    print('people  one-stage  detector  top-down  both   (ms of processor time a picture)')
    for people in args.people:
        clip = generate_clip(0, ClipSettings(args.frames, 1280, 720, (people, people)))
        boxes = np.stack([person_box(person) for person in clip.labels[0]])
        times = [
            milliseconds(look, [*clip.frames])
            for look in (
                one_stage.people,
                detector,
                lambda picture, boxes=boxes: top_down.find([picture] * len(boxes), boxes),
            )
        ]
        print('{:6}  {:9.0f}  {:8.0f}  {:8.0f}  {:4.0f}'.format(people, *times, sum(times[1:])))


if __name__ == '__main__':
    main()
