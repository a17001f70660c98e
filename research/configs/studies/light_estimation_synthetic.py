# Loss of accuracy in the light form: tiny models on generated clips, trained with equal steps, pose
# estimation with the boxes of the labels; trained alone, and with the full form as its teacher.
title = 'Full and light form, pose estimation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'full'

_light = 'research/configs/light/stdpose_tiny_estimation_synthetic_light.py'
_pruned = 'research/configs/light/stdpose_tiny_estimation_synthetic_light_pruned.py'

entries = [
    dict(name='full', config='configs/stdpose_tiny_estimation_synthetic.py'),
    dict(name='light', config=_light),
    dict(name='light, taught', config=_light, teacher='full'),
    dict(name='light, pruned', config=_pruned),
    dict(name='light, pruned, taught', config=_pruned, teacher='full'),
]
