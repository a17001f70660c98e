# The small form of Table 2: tiny models on generated clips, with the boxes of the labels. Every
# model is tested on the unchanged clips and with every key frame blurred or covered.
title = 'Pose estimation on generated clips'
tests = [
    dict(name='clips as they are'),
    dict(name='degraded', cfg_options={'test_dataloader.dataset.pipeline.3.prob': 1.0}),
]
metrics = ['posetrack/AP', 'posetrack/PCK@0.1']
reference = 'STDPose'

entries = [
    dict(
        name='per-frame ViT',
        config='research/configs/ablations/stdpose_tiny_estimation_synthetic_a_backbone.py',
    ),
    dict(name='STDPose', config='configs/stdpose_tiny_estimation_synthetic.py'),
    dict(name='semantic motion', config='configs/semantic_motion_tiny_estimation_synthetic.py'),
]
