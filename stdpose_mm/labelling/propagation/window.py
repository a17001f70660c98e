"""Pose networks that see the labelled frames around a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from types import NoneType

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import PROPAGATORS, BasePropagator, Gap, GapPoses, ModelUse
from stdpose_mm.labelling.propagation.gap_heatmaps import GapHeatmapEstimator, split_gap
from stdpose_mm.labelling.propagation.gaps import visibility_of_estimates
from stdpose_mm.models.necks import MLSME, STRE
from stdpose_mm.structures import NOT_LABELLED, Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping


class WindowPropagator(BasePropagator):
    """Base class of propagators that run a window model on each gap and decode its final heatmaps.

    The score of a joint is the peak of its heatmap. Joints without a label in the whole track are
    estimated, too; joints that the model was not trained on stay unlabelled.

    Args:
        window_model: The model with its pipeline.
        batch_size: Number of crops, and of windows, that the model sees at once.

    Raises:
        ValueError: If the batch size is not positive.
        InputError: If the model belongs to another method.
    """

    uses_model: ModelUse = 'required'

    basis = 'a pose network that sees the labels around a frame'

    necks: tuple[type, ...] = (object,)
    """Classes of the necks of the method's models; ``NoneType`` for models without a neck."""

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        neck = getattr(window_model.model, 'neck', None)
        if not isinstance(neck, self.necks):
            expected = ' or '.join(kind.__name__ for kind in self.necks)
            raise InputError(
                f'{type(self).__name__} needs a model with neck {expected}, got '
                f'{type(neck).__name__}, choose the method that the config was made for'
            )
        backend = TorchWindowBackend(window_model, batch_size)
        self.heatmap_estimator = GapHeatmapEstimator(backend, frame_maps=False)
        self.window_model = window_model
        self.skeleton = window_model.skeleton

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        """Fill gap by gap; see :meth:`BasePropagator.propagate`.

        Raises:
            InputError: If the model does not know a joint that is labelled.
        """
        if not gaps:
            return
        labelled = np.any([gap.has_label for gap in gaps], axis=0)
        model = self.window_model
        mapping = JointMapping.by_name(skeleton, model.skeleton, labelled, model.trained_joints)
        is_known = np.isin(np.arange(len(labelled)), mapping.shared)
        chunks = [chunk for gap in gaps for chunk in split_gap(gap)]
        with closing(self.heatmap_estimator.heatmaps(frames, chunks, mapping)) as estimated:
            for number, maps in estimated:
                gap, keys = chunks[number]
                rows = [n for n, frame in enumerate(maps.frames) if frame in keys]
                assert maps.final_heatmaps is not None
                crops = [maps.crops[n] for n in rows]
                keypoints, scores = model.decode(maps.final_heatmaps[rows], crops)
                visibility = visibility_of_estimates(gap, keys)
                yield GapPoses(
                    gap,
                    keys,
                    mapping.to_labels(keypoints, axis=1),
                    np.where(is_known, visibility, NOT_LABELLED),
                    mapping.to_labels(scores, axis=1),
                )


@PROPAGATORS.register_module(name='stdpose')
class STDPosePropagator(WindowPropagator):
    """STDPose, whole or in part, with the nearest labels as given auxiliary heatmaps."""

    necks = (STRE, NoneType)


@PROPAGATORS.register_module(name='per-frame')
class PerFramePropagator(WindowPropagator):
    """Baseline without temporal context: the frame head on the key frame alone.

    It needs a window model built with ``test_cfg.use_frame_head=True``.
    """

    uses_frame_head = True

    basis = 'a pose network that sees one frame'


@PROPAGATORS.register_module(name='semantic-motion')
class SemanticMotionPropagator(WindowPropagator):
    """The second system; its neck reads the nearest labels as configured.

    Raises:
        InputError: If the model belongs to another method, or was made for pose estimation and
            takes no labels.
    """

    necks = (MLSME,)

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        super().__init__(window_model, batch_size)
        if not window_model.model.takes_labels:
            raise InputError(
                'the model takes no labels (its neck has neither tks nor pose_embed), use a config '
                'such as configs/semantic_motion_tiny_propagation_synthetic_appearance.py or '
                "the method 'auto'"
            )


def method_of(neck: type) -> str:
    """Return the method for models with a neck of this class.

    Args:
        neck: The class; ``NoneType`` for models without a neck.

    Raises:
        InputError: If there is no such method.
    """
    for method, kind in PROPAGATORS.items():
        if issubclass(kind, WindowPropagator) and neck in kind.necks:
            return method
    raise InputError(
        f'no propagation method uses models with neck {neck.__name__}, use a config of another '
        'model'
    )
