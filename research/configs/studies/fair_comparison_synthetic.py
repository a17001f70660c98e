# All window models with the same backbone, data, crops and number of steps, tiny, on generated
# clips, tested at several T; models that can read the prior map are trained with and without it.
# For a larger budget, give --steps 7200.
title = 'Window models on generated clips, equal steps'
metrics = ['posetrack/PCK@0.1', 'posetrack/error_percent']
reference = 'STDPose'
x_label = 'T, frames from label to label'
tests = [
    dict(
        name=f'T = {interval}',
        cfg_options={
            'test_dataloader.dataset.interval': interval,
            'test_evaluator.given_interval': interval,
        },
        x=interval,
    )
    for interval in (3, 7, 10, 15)
]
entries = [
    dict(
        name='per-frame ViT',
        config='research/configs/baselines/vit_tiny_propagation_synthetic_segments.py',
    ),
    dict(
        name='PoseWarper-like',
        config='research/configs/baselines/posewarper_tiny_propagation_synthetic_segments.py',
    ),
    dict(
        name='DCPose-like',
        config='research/configs/baselines/dcpose_tiny_propagation_synthetic_segments.py',
    ),
    dict(name='STDPose', config='configs/stdpose_tiny_propagation_synthetic_appearance.py'),
    dict(
        name='STDPose, wide',
        config='research/configs/stdpose_tiny_propagation_synthetic_appearance_wide.py',
    ),
    dict(
        name='STDPose, no prior map',
        config='configs/stdpose_tiny_propagation_synthetic_appearance.py',
        cfg_options={'model.neck.tks.use_prior': False},
    ),
    dict(
        name="STDPose, the paper's parts and the prior map",
        config='research/configs/stdpose_tiny_propagation_synthetic_segments.py',
    ),
    dict(
        name="STDPose, the paper's parts",
        config='research/configs/stdpose_tiny_propagation_synthetic_segments.py',
        cfg_options={'model.neck.tks.use_prior': False},
    ),
    dict(
        name='semantic motion',
        config='configs/semantic_motion_tiny_propagation_synthetic_appearance.py',
    ),
    dict(
        name="semantic motion, the paper's parts and the prior map",
        config='research/configs/semantic_motion_tiny_propagation_synthetic_segments.py',
    ),
]
