"""When enough joints are right, and how many more labels that takes, with what is known so far.

The expected share of wrong joints is uncertain: its log odds differ from those of the true share by
an error with the mean ``BIAS``, since more joints are wrong than expected. Its variance has a part
between videos, and one that falls with the number of frames in which labels were hidden (see
:mod:`~.label_accuracy`). The bounds are a standard deviation above and below. These constants were
chosen on the training groups of the JHMDB clips, at every step of a simulated annotator who follows
the advice (``docs/guide/confidence.md``).

Nothing is known before labels were hidden in ``MIN_FRAMES`` frames, with ``MIN_JOINTS`` joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from .label_accuracy import LabelAccuracy

MIN_FRAMES, MIN_JOINTS = 3, 20
BIAS, VARIANCE_BETWEEN, VARIANCE_UNMEASURED = 0.3, 0.28, 0.88


@dataclass(frozen=True)
class Outlook:
    """What is known about the share of right joints, now and with further labels.

    Args:
        wrong_after: Expected share of wrong joints after 0, 1, 2, ... further labels; at least the
            first is known.
        accuracy: The accuracy on hidden labels, which the expectation includes, if any.
        num_labels: Largest number of labels of a person.
        is_complete: Whether all joints are given, so that nothing is uncertain.
    """

    wrong_after: np.ndarray
    accuracy: LabelAccuracy | None = None
    num_labels: int = 0
    is_complete: bool = False

    @property
    def labels_to_measure(self) -> int:
        """Return about how many further labels must be made before enough can be hidden."""
        if self.accuracy is None:
            # The first and the last label of a person cannot be hidden.
            return max(0, MIN_FRAMES + 2 - self.num_labels)
        frames, joints = self.accuracy.num_frames, len(self.accuracy.errors)
        return max(0, MIN_FRAMES - frames, ceil((MIN_JOINTS - joints) * frames / joints))

    @property
    def right(self) -> tuple[float, float, float] | None:
        """Return the lower bound, the estimate and the upper bound of the share of right joints.

        None if too little was measured.
        """
        if not self.is_complete and (self.accuracy is None or self.labels_to_measure):
            return None
        low, middle, high = (1 - float(self._bound(side)[0]) for side in (1, 0, -1))
        return low, middle, high

    def is_enough(self, target: float) -> bool:
        """Tell whether the lower bound of the share of right joints reaches a target."""
        return self.right is not None and self.right[0] >= target

    def labels_needed(self, target: float) -> tuple[int, int | None] | None:
        """Return the least and the largest number of further labels that a target takes.

        None if too little was measured; the largest is None if no number is certain to be enough.
        """
        if self.right is None:
            return None
        numbers = (np.flatnonzero(self._bound(side) <= 1 - target) for side in (-1, 1))
        least, largest = (int(enough[0]) if len(enough) else None for enough in numbers)
        return len(self.wrong_after) if least is None else least, largest

    def _bound(self, side: int) -> np.ndarray:
        """Return a bound of the shares of wrong joints: 1 the upper, 0 the middle, -1 the lower."""
        from scipy.special import expit, logit

        frames = 0 if self.accuracy is None else self.accuracy.num_frames
        deviation = np.sqrt(VARIANCE_BETWEEN + VARIANCE_UNMEASURED / (1 + frames))
        return np.asarray(expit(logit(self.wrong_after) + BIAS + side * deviation))
