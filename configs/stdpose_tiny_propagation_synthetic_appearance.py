# The tiny STDPose beyond the paper on generated videos. Joints are also compared by appearance, and
# the head has a path at full resolution. Training is cheaper, since two key frames share the crops
# of their auxiliary frames. Each frame is cropped at its own box, as `stdpose propagate` does.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_segments.py',
    '_base_/models/stdpose_tiny_appearance.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
