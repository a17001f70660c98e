# Loss of accuracy in the light form: tiny models on generated clips, trained with equal steps, pose
# propagation at T = 7; trained alone, and with the full form as its teacher.
title = 'Full and light form, pose propagation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'full'

_light = 'research/configs/light/stdpose_tiny_propagation_synthetic_appearance_light.py'
_pruned = 'research/configs/light/stdpose_tiny_propagation_synthetic_appearance_light_pruned.py'

entries = [
    dict(name='full', config='configs/stdpose_tiny_propagation_synthetic_appearance.py'),
    dict(name='light', config=_light),
    dict(name='light, taught', config=_light, teacher='full'),
    dict(name='light, pruned', config=_pruned),
    dict(name='light, pruned, taught', config=_pruned, teacher='full'),
]
