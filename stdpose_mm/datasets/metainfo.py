"""The entries of a dataset's metainfo that every sample carries."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

SAMPLE_KEYS = (
    'dataset_name',
    'upper_body_ids',
    'lower_body_ids',
    'flip_pairs',
    'dataset_keypoint_weights',
    'flip_indices',
    'skeleton_links',
)
"""Entries of the metainfo that MMPose's transforms and heads read."""


def sample_metainfo(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the entries of parsed metainfo that a sample carries."""
    return {key: deepcopy(metainfo[key]) for key in SAMPLE_KEYS}
