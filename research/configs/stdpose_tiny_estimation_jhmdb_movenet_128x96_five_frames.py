# Pose estimation on JHMDB clips from two frames before and two after.
_base_ = 'stdpose_tiny_estimation_jhmdb_movenet_128x96.py'

num_frames = 5
model = dict(
    neck=dict(tff=dict(num_frames=num_frames), tks=dict(num_frames=num_frames)),
    head=dict(mask=dict(num_frames=num_frames)),
)
windows = dict(dataset=dict(num_frames=num_frames))
train_dataloader = windows
val_dataloader = windows
test_dataloader = windows
