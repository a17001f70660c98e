from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.inference import WindowModel
from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, Gap, ModelUse, PropagatedPose
from stdpose_mm.propagation.gaps import visibility_of_estimates
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .gap_heatmap_estimator import GapHeatmapEstimator


class WindowPropagator(BasePropagator):
    """Run a window model on every gap of every person and decode its final heatmaps.

    The score of a joint is the peak of its heatmap. A joint without a label in the whole track
    gets the model's estimate like every other; a joint that the model was not trained on stays
    not labelled.

    Args:
        window_model: The model with its pipeline.
        batch_size: Crops, and windows, that the model sees at once.

    Raises:
        ValueError: If the batch size is not positive.
        InputError: If the model belongs to another method.
    """

    uses_model: ModelUse = 'required'

    basis = 'a pose network that sees the labels around a frame'

    necks: tuple[type, ...] = (object,)
    """Classes of the necks of the method's models; ``NoneType`` for a model without a neck."""

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        neck = getattr(window_model.model, 'neck', None)
        if not isinstance(neck, self.necks):
            expected = ' or '.join(kind.__name__ for kind in self.necks)
            raise InputError(
                f'{type(self).__name__} needs a model with neck {expected}, got '
                f'{type(neck).__name__}, choose the method that the config was made for'
            )
        self.heatmap_estimator = GapHeatmapEstimator(window_model, batch_size, frame_maps=False)
        self.skeleton = window_model.skeleton

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Fill gap by gap; see :meth:`BasePropagator.propagate`.

        Raises:
            InputError: If the model does not know a joint that is labelled.
        """
        if not gaps:
            return
        labelled = np.any([gap.known for gap in gaps], axis=0)
        model = self.heatmap_estimator.window_model
        mapping = JointMapping.by_name(skeleton, model.skeleton, labelled, model.trained_joints)
        with closing(self.heatmap_estimator.heatmaps(frames, gaps, mapping)) as estimated:
            for gap, maps in estimated:
                keys = [n for n, frame in enumerate(maps.frames) if frame in gap.frames]
                poses = model.decode(maps.final_heatmaps[keys], [maps.crops[n] for n in keys])
                for n, keypoints, scores in zip(keys, *poses, strict=True):
                    visibility = visibility_of_estimates(gap, maps.frames[n])
                    yield PropagatedPose(
                        gap,
                        maps.frames[n],
                        keypoints=mapping.to_labels(keypoints),
                        # Joints that the model does not know are not labelled.
                        visibility=mapping.to_labels(mapping.to_model(visibility)),
                        scores=mapping.to_labels(scores),
                    )


def methods_of_windows() -> dict[str, tuple[type, ...]]:
    """Return method -> necks of its models, for the methods that require certain necks."""
    return {
        method: kind.necks
        for method, kind in PROPAGATORS.items()
        if issubclass(kind, WindowPropagator) and kind.necks != WindowPropagator.necks
    }


def method_of(neck: type) -> str:
    """Return the method of models with a neck of a class.

    Args:
        neck: The class; ``NoneType`` for models without a neck.

    Raises:
        InputError: If there is no such method.
    """
    for method, necks in methods_of_windows().items():
        if neck in necks:
            return method
    raise InputError(
        f'no propagation method stands for models with neck {neck.__name__}, use a config of '
        'another model'
    )
