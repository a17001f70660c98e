# The light form of stdpose_tiny_propagation_synthetic_appearance.py.
_base_ = [
    '../../../configs/_base_/tiny_runtime.py',
    '../../../configs/_base_/schedules/tiny_cpu.py',
    '../../../configs/_base_/datasets/synthetic_segments.py',
    '../_base_/models/stdpose_tiny_appearance_light.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
