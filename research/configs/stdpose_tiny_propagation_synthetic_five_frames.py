# The tiny STDPose, propagation on generated videos with windows of five frames: one more between
# each labelled frame and the key frame.
_base_ = '../../configs/stdpose_tiny_propagation_synthetic.py'

num_frames = 5
model = dict(
    neck=dict(tff=dict(num_frames=num_frames), tks=dict(num_frames=num_frames)),
    head=dict(mask=dict(num_frames=num_frames)),
)
windows = dict(dataset=dict(num_frames=num_frames))
train_dataloader = windows
val_dataloader = windows
test_dataloader = windows
