from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from stdpose_mm.models.pretrained import compare_weights, model_weights
from stdpose_mm.registration import register


@register(HOOKS)
class CheckpointReportHook(Hook):
    """Hook that logs which weights of the model ``load_from`` fills, one row per module.

    Weights of MAE, DINO and timm are first renamed to those of the backbone, see
    :func:`~stdpose_mm.models.pretrained.model_weights`. Resumed runs are not reported.

    Raises:
        InputError: If a weight of the backbone, or the whole model, would keep its initial values.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Rename the weights as in the model and report them before they are loaded."""
        if runner._resume:
            return
        weights = model_weights(checkpoint)
        stored = checkpoint.get('state_dict')
        if not isinstance(stored, dict) or set(weights) != set(stored):
            checkpoint['state_dict'] = weights
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        report = compare_weights(model, weights)
        runner.logger.info(f'Weights of {runner._load_from} in the model:\n{report.table()}')
        report.require_backbone(str(runner._load_from))
        report.require_any(str(runner._load_from))
