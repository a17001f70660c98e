# STDPose beyond the paper, tiny, on generated videos: joints are also compared by appearance, the
# head has a path at full resolution, and training is cheaper: two key frames share the crops of
# their auxiliary frames, every frame at its own box as in use.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_segments.py',
    '_base_/models/stdpose_tiny_appearance.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
