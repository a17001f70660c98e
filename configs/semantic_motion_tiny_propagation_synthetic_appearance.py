# The second system beyond the paper, tiny, pose propagation on generated videos: the parts, the
# data and the crops of the tiny STDPose beyond the paper.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_segments.py',
    '_base_/models/semantic_motion_tiny_appearance.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
