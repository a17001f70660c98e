# Ablation, tiny: only tubes are hidden in training, no whole frames.
_base_ = '../../../configs/semantic_motion_tiny_estimation_synthetic.py'

model = dict(neck=dict(masked_frames=0, pose_decoder=None))
