# Ablation: only whole frames are hidden in training, no tubes.
_base_ = '../semantic_motion_base_estimation_posetrack17.py'

model = dict(neck=dict(tube_ratio=0.0))
