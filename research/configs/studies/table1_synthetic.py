# The small form of Table 1: tiny models on generated clips.
title = 'Pose propagation on generated clips, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = 'STDPose'

entries = [
    dict(
        name='per-frame ViT',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_a_backbone.py',
    ),
    dict(
        name='PoseWarper-like',
        config='research/configs/baselines/posewarper_tiny_propagation_synthetic.py',
    ),
    dict(
        name='DCPose-like', config='research/configs/baselines/dcpose_tiny_propagation_synthetic.py'
    ),
    dict(name='STDPose', config='configs/stdpose_tiny_propagation_synthetic.py'),
]
