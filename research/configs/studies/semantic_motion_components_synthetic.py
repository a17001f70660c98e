# The parts of the second system, tiny, on generated clips; docs/reference/semantic_motion.md
# describes the training from which they start.
title = 'Components of the second system, pose estimation on generated clips'
tests = [
    dict(name='clips as they are'),
    dict(name='degraded', cfg_options={'test_dataloader.dataset.pipeline.3.prob': 1.0}),
]
metrics = ['posetrack/AP', 'posetrack/PCK@0.1']
reference = 'semantic motion'

_ablation = 'research/configs/ablations/semantic_motion_tiny_estimation_synthetic'
entries = [
    dict(
        name='per-frame ViT',
        config='research/configs/ablations/stdpose_tiny_estimation_synthetic_a_backbone.py',
    ),
    dict(name='STDPose', config='configs/stdpose_tiny_estimation_synthetic.py'),
    dict(name='semantic motion', config='configs/semantic_motion_tiny_estimation_synthetic.py'),
    dict(name='nothing hidden', config=f'{_ablation}_no_masks.py'),
    dict(name='tubes alone', config=f'{_ablation}_tubes.py'),
    dict(name='frames alone', config=f'{_ablation}_frames.py'),
    dict(name='concatenation', config=f'{_ablation}_concatenation.py'),
]
