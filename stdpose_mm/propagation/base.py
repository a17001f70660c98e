"""The one interface of all propagators, and their registry."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from mmengine.registry import Registry

from stdpose_mm.errors import InputError
from stdpose_mm.structures import Skeleton

from .gaps import Gap

PROPAGATORS = Registry('propagator', scope='stdpose_mm')
"""Propagators by the name that ``--method`` takes."""


class Frames(Protocol):
    """What a propagator reads pictures from: a ``FrameSource``, or a cache in front of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


@dataclass(frozen=True)
class PropagatedPose:
    """The estimated pose of one track in one frame.

    Args:
        track_id, frame_index: Whose pose, and where.
        keypoints: [K, 2] pixels.
        visibility: [K] of 0 (nothing is known of the joint), 1, 2.
        scores: [K] confidence in 0..1; 0 where ``visibility`` is 0.
    """

    track_id: int
    frame_index: int
    keypoints: np.ndarray
    visibility: np.ndarray
    scores: np.ndarray


class BasePropagator(ABC):
    """Fills the gaps between given labels.

    A subclass is registered in ``PROPAGATORS`` under its public name.
    """

    skeleton: Skeleton | None = None
    """The joints of its model, which labels without joint names are taken for; None without one."""

    evidence: str = ''
    """What it goes by, in a few words."""

    reads_pictures: bool = True
    """Whether it looks at the video at all."""

    reads_second_labels: bool = False
    """Whether a gap depends on the labels behind the nearest ones on either side."""

    def describe(self, skeleton: Skeleton) -> str:
        """What it goes by for labels with these joints, in a few words."""
        return self.evidence

    @abstractmethod
    def propagate(
        self, frames: Frames, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Estimate the pose of every frame of every gap, each exactly once.

        Args:
            frames: The video. Pictures should be read in ascending order as far as the method
                allows, and not be kept longer than needed.
            gaps: Gaps of one or several tracks, sorted by their first frame.
            skeleton: The joints of the labels in ``gaps``; results are in the same order.

        Yields:
            Poses in any order; roughly ascending frames let callers show results early.
        """


def build_propagator(method: str, **kwargs: Any) -> BasePropagator:
    """The propagator registered as ``method``.

    Raises:
        InputError: If there is no such propagator.
    """
    propagator_class = PROPAGATORS.module_dict.get(method)
    if propagator_class is None:
        raise InputError(
            f'there is no propagation method {method!r}, choose one of '
            f'{", ".join(sorted(PROPAGATORS.module_dict))}'
        )
    return propagator_class(**kwargs)


def follows_flow(method: str) -> bool:
    """Whether a registered method takes an estimator of optical flow."""
    return 'estimator' in inspect.signature(PROPAGATORS.get(method)).parameters


def model_use(method: str) -> Literal['none', 'optional', 'required']:
    """Whether a registered method works with a trained model."""
    parameter = inspect.signature(PROPAGATORS.get(method)).parameters.get('window_model')
    if parameter is None:
        return 'none'
    return 'required' if parameter.default is parameter.empty else 'optional'
