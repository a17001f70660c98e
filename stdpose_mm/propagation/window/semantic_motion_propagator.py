from __future__ import annotations

from stdpose_mm.errors import InputError
from stdpose_mm.inference import WindowModel
from stdpose_mm.models.necks import MLSME
from stdpose_mm.propagation import PROPAGATORS

from .window_propagator import WindowPropagator


@PROPAGATORS.register_module(name='semantic-motion')
class SemanticMotionPropagator(WindowPropagator):
    """Run the second system, whose neck reads the nearest labels as it is configured to.

    Raises:
        InputError: If the model belongs to another method, or was made for pose estimation and
            takes no labels.
    """

    necks = (MLSME,)

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        super().__init__(window_model, batch_size)
        if not window_model.model.takes_labels:
            raise InputError(
                'the model takes no labels, its neck has neither tks nor pose_embed: use one of a '
                'config such as configs/semantic_motion_tiny_propagation_synthetic_appearance.py, '
                "or the method 'auto'"
            )
