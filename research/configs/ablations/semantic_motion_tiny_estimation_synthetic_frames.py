# Ablation, tiny: only whole frames are hidden in training, no tubes.
_base_ = '../../../configs/semantic_motion_tiny_estimation_synthetic.py'

model = dict(neck=dict(tube_ratio=0.0))
