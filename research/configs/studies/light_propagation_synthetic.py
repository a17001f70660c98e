# Loss of accuracy in the light form: tiny models on generated clips, trained with equal steps, pose
# propagation at T = 7.
title = 'Full and light form, pose propagation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'full'

_light = 'research/configs/light/stdpose_tiny_propagation_synthetic_appearance_light'
entries = [
    dict(name='full', config='configs/stdpose_tiny_propagation_synthetic_appearance.py'),
    dict(name='light', config=f'{_light}.py'),
    dict(name='light, pruned', config=f'{_light}_pruned.py'),
]
