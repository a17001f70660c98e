# The light form of stdpose_tiny_estimation_synthetic.py: both heads have the sub-pixel decoder,
# only the key frame reads the other frames, and STDA has one block.
_base_ = [
    '../../../configs/_base_/tiny_runtime.py',
    '../../../configs/_base_/schedules/tiny_cpu.py',
    '../../../configs/_base_/datasets/synthetic_estimation.py',
    '../../../configs/_base_/models/stdpose_tiny.py',
    '../_base_/light_parts.py',
]

codec = {{_base_.codec}}
model = dict(
    frame_head=dict(decoder=codec, **_base_.subpixel_decoder),
    neck=dict(tff=dict(_delete_=True, **_base_.key_frame_fusion)),
    head=dict(
        num_blocks=1,
        feedforward_channels=_base_.light_width,
        decoder=codec,
        **_base_.subpixel_decoder,
    ),
)
