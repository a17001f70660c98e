"""Work without a pose network, in a process that cannot import PyTorch or OpenMMLab's packages.

    python -m support.light_job FOLDER

writes its files to FOLDER and prints what it found as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

FORBIDDEN = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose', 'mmdet')

ROOMS = (
    *('structures', 'io', 'evaluation.functional', 'tracking', 'detection', 'visualization'),
    *('inference.frame_pose_estimator', 'inference.sparse_estimator'),
    *('labelling.evidence', 'labelling.propagation', 'labelling.review', 'labelling.report'),
    *('apis.video_pose_propagator', 'errors', 'onnx_session', 'mmpose_patches'),
)
NEED_MORE = (
    'stdpose_mm.labelling.evidence.mmpose_network',
    'stdpose_mm.labelling.propagation.window',
)
"""Modules of these rooms that nothing imports without a pose network."""

METHODS = ('linear', 'spline', 'flow', 'auto')


class Blocker:
    """Block the import of the forbidden packages."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.partition('.')[0] in FORBIDDEN:
            raise ImportError(f'{name} is not to be imported here')


def run_without_heavy_packages() -> int:
    """Run the ``stdpose`` command where these packages can neither be imported nor found."""
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name in FORBIDDEN else find(name)
    sys.meta_path.insert(0, Blocker())
    code = import_module('stdpose_mm.cli.main').main(sys.argv[1:])
    assert not set(FORBIDDEN) & set(sys.modules)
    return code


def import_rooms() -> int:
    """Import every module of the light rooms; return their number."""
    names = []
    for room in ROOMS:
        module = import_module(f'stdpose_mm.{room}')
        inside = pkgutil.iter_modules(getattr(module, '__path__', []), f'{module.__name__}.')
        names += [name for _, name, _ in inside if name not in NEED_MORE]
    for name in names:
        module = import_module(name)
        if hasattr(module, '__path__'):
            names += [found for _, found, _ in pkgutil.iter_modules(module.__path__, f'{name}.')]
    return len(names)


def run_job(folder: Path) -> dict[str, Any]:
    """Propagate by every method, convert, evaluate and report."""
    import numpy as np

    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.evaluation.functional import EVALUATED_JOINTS, evaluate_posetrack
    from stdpose_mm.io.labels import read_labels, write_labels
    from stdpose_mm.io.video import open_frames, write_video
    from stdpose_mm.labelling.report import write_report
    from stdpose_mm.labelling.review import frames_to_check
    from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

    from .moving_pictures import ARC, POINTS, moving_texture

    clip = folder / 'clip.mp4'
    write_video(clip, moving_texture(ARC), fps=10)
    visible = np.full(len(POINTS), 2)
    truth = VideoLabels(
        'clip',
        Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2))),
        tuple(VideoFrame(n, f'{n:06d}.jpg') for n in range(len(ARC))),
        tuple(PersonLabel(n, POINTS + shift, visible, track_id=0) for n, shift in enumerate(ARC)),
    )
    errors, dense = {}, truth
    for method in METHODS:
        propagator = VideoPosePropagator(method=method)
        state = propagator.init_state(clip, truth.keep_frames([0, len(ARC) - 1]))
        dense = propagator.collect_labels(state, propagator.propagate_in_video(state))
        errors[method] = max(
            float(np.abs(one.keypoints - other.keypoints).max())
            for one, other in zip(dense.persons, truth.persons, strict=True)
        )
    converted = {}
    for format, name in (('posetrack18', 'a.json'), ('coco', 'b.json'), ('cvat', 'c.xml')):
        write_labels(truth, folder / name, format)
        persons = read_labels(folder / name, format).persons
        converted[format] = max(
            float(np.abs(one.keypoints - other.keypoints).max())
            for one, other in zip(persons, truth.persons, strict=True)
        )
    body = PersonLabel(
        frame_index=0,
        keypoints=np.arange(2.0 * len(EVALUATED_JOINTS)).reshape(-1, 2),
        visibility=np.full(len(EVALUATED_JOINTS), 2),
        track_id=0,
        head_box=np.array([0.0, 0.0, 10.0, 10.0]),
    )
    bodies = VideoLabels('bodies', Skeleton(EVALUATED_JOINTS), truth.frames, (body,))
    write_labels(bodies, folder / 'd.json')
    read = [read_labels(folder / 'd.json')]
    scores = evaluate_posetrack(read, read).to_dict()
    write_report(
        folder / 'report.html', open_frames(clip), dense, checks=frames_to_check(dense, limit=2)
    )
    return {'errors': errors, 'converted': converted, 'AP': scores['AP']['mean']}


if __name__ == '__main__':
    sys.meta_path.insert(0, Blocker())
    result = {'modules': import_rooms(), **run_job(Path(sys.argv[1]))}
    assert not set(FORBIDDEN) & set(sys.modules)
    print(json.dumps(result))
