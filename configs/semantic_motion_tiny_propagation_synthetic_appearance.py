# The tiny second system beyond the paper for pose propagation on generated videos, with the data,
# the crops and the added parts of stdpose_tiny_propagation_synthetic_appearance.py.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_segments.py',
    '_base_/models/semantic_motion_tiny_appearance.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
