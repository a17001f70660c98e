# The light form of stdpose_tiny_propagation_synthetic_appearance.py: both heads have the sub-pixel
# decoder, and only the key frame reads the other frames.
_base_ = [
    '../../../configs/_base_/tiny_runtime.py',
    '../../../configs/_base_/schedules/tiny_cpu.py',
    '../../../configs/_base_/datasets/synthetic_segments.py',
    '../../../configs/_base_/models/stdpose_tiny_appearance.py',
    '../_base_/light_parts.py',
]

codec = {{_base_.codec}}
model = dict(
    frame_head=dict(decoder=codec, **_base_.subpixel_decoder),
    neck=dict(tff=dict(_delete_=True, relative_time=True, **_base_.key_frame_fusion)),
    head=dict(feedforward_channels=_base_.light_width, decoder=codec, **_base_.subpixel_decoder),
)
