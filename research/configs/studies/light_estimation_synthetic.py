# Loss of accuracy in the light form: tiny models on generated clips, trained with equal steps, pose
# estimation with the boxes of the labels.
title = 'Full and light form, pose estimation on generated clips'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP', 'posetrack/error_percent']
reference = 'full'

_light = 'research/configs/light/stdpose_tiny_estimation_synthetic_light'
entries = [
    dict(name='full', config='configs/stdpose_tiny_estimation_synthetic.py'),
    dict(name='light', config=f'{_light}.py'),
    dict(name='light, pruned', config=f'{_light}_pruned.py'),
]
