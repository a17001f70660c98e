# What comparing heatmaps as distributions brings, beside the squared error: the tiny STDPose beyond
# the paper on generated clips, trained with equal steps, pose propagation at T = 7.
title = 'Heatmap losses, pose propagation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'squared error'

_config = 'configs/stdpose_tiny_propagation_synthetic_appearance.py'
_with_divergence = dict(type='ForegroundKLLoss', divergence_weight=5.0)

entries = [
    dict(name='squared error', config=_config),
    dict(
        name='with the divergence',
        config=_config,
        cfg_options={
            'model.head.loss': _with_divergence,
            'model.frame_head.loss': _with_divergence,
        },
    ),
]
