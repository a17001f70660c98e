# The light form of stdpose_tiny_propagation_synthetic_appearance.py: the sub-pixel decoder in
# both heads, and the key frame alone reads the other frames.
_base_ = [
    '../../../configs/_base_/tiny_runtime.py',
    '../../../configs/_base_/schedules/tiny_cpu.py',
    '../../../configs/_base_/datasets/synthetic_segments.py',
    '../../../configs/_base_/models/stdpose_tiny_appearance.py',
]

codec = {{_base_.codec}}
subpixel_decoder = dict(
    upsample=4, shuffle_channels=48, deconv_out_channels=None, deconv_kernel_sizes=None
)
light_width = 2 * _base_.embed_dims
model = dict(
    frame_head=dict(decoder=codec, **subpixel_decoder),
    neck=dict(
        tff=dict(
            _delete_=True,
            type='KeyFrameFusion',
            embed_dims=_base_.embed_dims,
            num_heads=4,
            feedforward_channels=light_width,
            relative_time=True,
        ),
    ),
    head=dict(feedforward_channels=light_width, decoder=codec, **subpixel_decoder),
)
