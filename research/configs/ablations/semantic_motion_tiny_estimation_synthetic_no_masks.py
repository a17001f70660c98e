# Ablation, tiny: nothing is hidden in training and so nothing is reconstructed; the encoder and
# mutual learning remain.
_base_ = '../../../configs/semantic_motion_tiny_estimation_synthetic.py'

model = dict(neck=dict(tube_ratio=0.0, masked_frames=0, context_decoder=None, pose_decoder=None))
