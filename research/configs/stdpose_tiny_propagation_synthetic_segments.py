# The tiny STDPose with the paper's parts and the prior map, and with the data, crops and schedule
# of the tiny STDPose beyond the paper.
_base_ = [
    '../../configs/_base_/tiny_runtime.py',
    '../../configs/_base_/schedules/tiny_cpu.py',
    '../../configs/_base_/datasets/synthetic_segments.py',
    '../../configs/_base_/models/stdpose_tiny.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
