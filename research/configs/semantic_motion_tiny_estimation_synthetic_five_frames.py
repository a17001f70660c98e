# The second system, tiny, pose estimation on generated videos from windows of five frames: two
# before and two after the key frame.
_base_ = '../../configs/semantic_motion_tiny_estimation_synthetic.py'

num_frames = 5
model = dict(neck=dict(num_frames=num_frames))
windows = dict(dataset=dict(num_frames=num_frames))
train_dataloader = windows
val_dataloader = windows
test_dataloader = windows
