"""MMPose metainfo of PoseTrack's 17 channels."""

from __future__ import annotations

from typing import Any

from stdpose_mm.structures import POSETRACK_SKELETON

_LOWER = ('hip', 'knee', 'ankle')

# COCO's OKS sigmas; the points of the head have those of COCO's facial keypoints.
_SIGMAS = {
    'nose': 0.026,
    'head_bottom': 0.025,
    'head_top': 0.025,
    'ear': 0.035,
    'shoulder': 0.079,
    'elbow': 0.072,
    'wrist': 0.062,
    'hip': 0.107,
    'knee': 0.087,
    'ankle': 0.089,
}


def posetrack_metainfo(dataset_name: str) -> dict[str, Any]:
    """Make the metainfo under a dataset's name, with upper and lower body for RandomHalfBody."""
    metainfo = POSETRACK_SKELETON.to_metainfo(dataset_name)
    parts = [name.removeprefix('left_').removeprefix('right_') for name in _names()]
    for info, part in zip(metainfo['keypoint_info'].values(), parts, strict=True):
        info['type'] = 'lower' if part in _LOWER else 'upper'
    metainfo['sigmas'] = [_SIGMAS[part] for part in parts]
    # The ears are never annotated, so a model's predictions for them have no meaning.
    metainfo['joint_weights'] = [0.0 if part == 'ear' else 1.0 for part in parts]
    return metainfo


def _names() -> tuple[str, ...]:
    return POSETRACK_SKELETON.keypoint_names
