# Effect of a loss that also compares heatmaps as distributions, besides the squared error: the tiny
# STDPose beyond the paper and the DCPose-like network on generated clips, trained with equal steps,
# pose propagation at T = 7.
title = 'Heatmap losses, pose propagation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'squared error'

_stdpose = 'configs/stdpose_tiny_propagation_synthetic_appearance.py'
_dcpose = 'research/configs/baselines/dcpose_tiny_propagation_synthetic_segments.py'
_loss = dict(type='ForegroundKLLoss', divergence_weight=5.0)
_with_divergence = {'model.head.loss': _loss, 'model.frame_head.loss': _loss}

entries = [
    dict(name='squared error', config=_stdpose),
    dict(name='with the divergence', config=_stdpose, cfg_options=_with_divergence),
    dict(name='DCPose-like', config=_dcpose),
    dict(name='DCPose-like, with the divergence', config=_dcpose, cfg_options=_with_divergence),
]
