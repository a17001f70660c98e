"""Common interface of all propagators, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import UserDict
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NOT_LABELLED, Skeleton

from .gaps import Gap

ModelUse = Literal['none', 'optional', 'required']


@dataclass(frozen=True, eq=False)
class GapPoses:
    """The estimated poses of one person in F frames of a gap.

    Args:
        gap: The gap; only the joints that it asks for are used.
        frames: The frames, consecutive.
        keypoints: [F, K, 2] pixels.
        visibility: [F, K] of 0 (nothing is known about the joint), 1, 2.
        scores: [F, K] confidence in 0..1; 0 where ``visibility`` is 0.
    """

    gap: Gap
    frames: range
    keypoints: np.ndarray
    visibility: np.ndarray
    scores: np.ndarray

    @classmethod
    def with_visibility_of_labels(
        cls, gap: Gap, frames: range, keypoints: np.ndarray, scores: np.ndarray
    ) -> GapPoses:
        """Build poses whose joints are as visible as at their nearest labels."""
        visibility = gap.visibility_at(frames)
        scores = np.where(visibility == NOT_LABELLED, 0.0, scores)
        return cls(gap, frames, keypoints, visibility, scores)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields that a cache keeps."""
        return {'keypoints': self.keypoints, 'visibility': self.visibility, 'scores': self.scores}


GapCache = MutableMapping[str, Mapping[str, np.ndarray]]
"""Fingerprint of a gap -> :attr:`GapPoses.arrays` of all its frames."""


_HALF_LIFE = 7.0


def decayed_score(distance: np.ndarray) -> np.ndarray:
    """Return a confidence that halves with every ``_HALF_LIFE`` frames from the nearest label.

    It ranks frames and joints by their distance from a label, but is not a probability: a joint
    that stands still is estimated better than its score says.

    Args:
        distance: Frames to the nearest label, infinite without any.

    Returns:
        Of the same shape, in 0..1: 1 on a label, 0 without any.
    """
    return np.exp2(-np.asarray(distance, dtype=np.float64) / _HALF_LIFE)


class BasePropagator(ABC):
    """Base class of the methods that fill the gaps between given labels.

    A subclass is registered in ``PROPAGATORS`` under its public name.
    """

    skeleton: Skeleton | None = None
    """The joints of its model, used for labels without joint names; None without a model."""

    uses_model: ModelUse = 'none'
    """Whether its constructor takes the ``window_model`` of a trained pose network."""

    uses_flow: bool = False
    """Whether its constructor takes an ``estimator`` of optical flow."""

    uses_fuser: bool = False
    """Whether its constructor takes the ``weights`` of a fuser."""

    uses_frame_head: bool = False
    """Whether its model must see single frames, by its frame head."""

    scores_by_agreement: bool = False
    """Whether scores are the agreement of two flow tracks: a good ranking, but no probabilities."""

    basis: str = ''
    """What its poses are computed from, in a few words."""

    reads_pictures: bool = True
    """Whether it reads the pictures of the video."""

    reads_second_labels: bool = False
    """Whether a gap depends on the labels beyond the nearest ones on either side."""

    reads_other_people: bool = False
    """Whether a gap depends on the positions of other people (:attr:`Gap.crowded`)."""

    def describe(self, skeleton: Skeleton) -> str:
        """Describe in a few words what the poses of these joints are computed from."""
        return self.basis

    def warn_of_evidence(self, skeleton: Skeleton) -> None:
        """Warn about given evidence that is of little use for poses of these joints."""
        return

    def require_evidence(self, frames: FrameSource) -> None:
        """Check that the given evidence can be used for a video.

        Raises:
            InputError: If it cannot.
        """
        return

    def describe_use(
        self, warn_for_video: str | None = None, among: Collection[str] | None = None
    ) -> list[str]:
        """Describe how useful the evidence was in the gaps filled so far, in a sentence each.

        Args:
            warn_for_video: Name of the only video to describe, and only evidence that was of no use
                in most of its gaps.
            among: Fingerprints of the gaps to describe; by default all.
        """
        return []

    def files_of(self, video: str) -> Sequence[Mapping[str, Path]]:
        """List the files of evidence for one video, to fingerprint them; one mapping for each kind.

        Raises:
            InputError: If files for this video are expected but missing.
        """
        return ()

    def hiding(self, frames: FrameSource, hidden: Collection[int]) -> BasePropagator:
        """Return this propagator without what it has learned from labels of some frames.

        Args:
            frames: The video.
            hidden: Frames whose labels are hidden to measure accuracy.
        """
        return self

    @abstractmethod
    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        """Estimate the pose of every frame of every gap, each exactly once.

        Args:
            frames: The video. A method should read its pictures in ascending order where possible,
                and not keep them longer than necessary.
            gaps: Gaps of one or several tracks, sorted by their first frame.
            skeleton: The joints of the labels in ``gaps``; results have the same order.

        Yields:
            Poses of some frames of a gap, in any order; callers can show results early if frames
            are roughly ascending.
        """


class PropagatorRegistry(UserDict[str, Any]):
    """Propagators by the name that ``--method`` takes; each is imported on first use.

    Values are classes, or names of modules that register them when imported.
    """

    def register_module(self, name: str) -> Callable[[type[BasePropagator]], type[BasePropagator]]:
        """Register the decorated class under ``name``."""

        def register(propagator_class: type[BasePropagator]) -> type[BasePropagator]:
            self[name] = propagator_class
            return propagator_class

        return register

    def __getitem__(self, name: str) -> type[BasePropagator]:
        if isinstance(self.data[name], str):
            import_module(self.data[name])
        propagator_class: type[BasePropagator] = self.data[name]
        return propagator_class


PROPAGATORS = PropagatorRegistry(
    {
        name: f'stdpose_mm.labelling.propagation.{folder}'
        for name, folder in PROPAGATION_METHODS.items()
    }
)


_PACKAGES_OF_FOLDERS = {'window': ('torch', 'mmpose')}
"""Folder of methods -> packages that its import needs; all other folders are light."""


def require_method(method: str) -> type[BasePropagator]:
    """Look up the propagator registered as ``method``.

    Raises:
        InputError: If there is no such propagator, or a package that it needs is not installed.
    """
    if method not in PROPAGATORS:
        methods = ', '.join(sorted(PROPAGATORS))
        raise InputError(f'there is no propagation method {method!r}, choose one of {methods}')
    require_method_packages(method)
    return PROPAGATORS[method]


def require_method_packages(method: str) -> None:
    """Check, without importing them, that the packages that a method needs are installed.

    Raises:
        InputError: If one is missing.
    """
    require_packages(f'method {method!r}', *_packages_of(method))


def method_reads_pictures(method: str) -> bool:
    """Return whether a method reads the pictures of the video, as its class says.

    Methods that need PyTorch always do. Their classes are not imported, because that takes seconds
    and is not possible everywhere.

    Raises:
        InputError: If there is no such method.
    """
    return bool(_packages_of(method)) or require_method(method).reads_pictures


def _packages_of(method: str) -> tuple[str, ...]:
    """Return the packages that the import of a method's class needs."""
    return _PACKAGES_OF_FOLDERS.get(PROPAGATION_METHODS.get(method, ''), ())
