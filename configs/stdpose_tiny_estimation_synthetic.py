# The tiny STDPose for pose estimation on generated videos, from the neighbouring frames and without
# given labels.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_estimation.py',
    '_base_/models/stdpose_tiny.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
