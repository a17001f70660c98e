# Ablation: only tubes are hidden in training, no whole frames.
_base_ = '../semantic_motion_base_estimation_posetrack17.py'

model = dict(neck=dict(masked_frames=0, pose_decoder=None))
