# The light form of stdpose_tiny_estimation_synthetic.py.
_base_ = [
    '../../../configs/_base_/tiny_runtime.py',
    '../../../configs/_base_/schedules/tiny_cpu.py',
    '../../../configs/_base_/datasets/synthetic_estimation.py',
    '../_base_/models/stdpose_tiny_light.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
