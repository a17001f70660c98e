from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from stdpose_mm.structures import NUM_FRAMES


class WindowNeck(BaseModule):
    """Base class of necks, with the interface that a :class:`WindowPoseEstimator` uses.

    A neck is called with the features of the frames [N, T, D, h', w'], their heatmaps
    [N, T, K, h, w] or ``None``, and the given labels or ``None``; it returns a
    :class:`SpatioTemporalRepresentation`.

    Attributes:
        num_frames: Number T of frames in a window.
        reads_heatmaps: Whether it reads heatmaps; if not, prediction does not run a frame head.
        takes_labels: Whether it uses labels of the auxiliary frames.
    """

    num_frames: int = NUM_FRAMES
    reads_heatmaps: bool = True
    takes_labels: bool = True

    def project_frames(self, features: Tensor) -> Tensor | None:
        """Compute further values of single frames [M, D, h', w'] that windows can share.

        Returns:
            [M, ...], passed back as the argument ``projections``; ``None`` if there are none.
        """
        return None
