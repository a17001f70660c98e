# A tiny STDPose, trained from scratch on generated videos in minutes on a CPU; see
# docs/reference/synthetic_data.md.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic.py',
    '_base_/models/stdpose_tiny.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
