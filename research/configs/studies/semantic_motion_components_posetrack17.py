# The parts of the second system with ViT-B.
title = 'Components of the second system, pose estimation on PoseTrack17'
metrics = ['posetrack/AP']
reference = 'semantic motion'

_ablation = 'configs/ablations/semantic_motion_base_estimation_posetrack17'
entries = [
    dict(name='STDPose', config='configs/stdpose_base_estimation_posetrack17.py'),
    dict(
        name='semantic motion',
        config='configs/semantic_motion_base_estimation_posetrack17.py',
    ),
    dict(name='nothing hidden', config=f'{_ablation}_no_masks.py'),
    dict(name='tubes alone', config=f'{_ablation}_tubes.py'),
    dict(name='frames alone', config=f'{_ablation}_frames.py'),
    dict(name='concatenation', config=f'{_ablation}_concatenation.py'),
]
