# The light form of the tiny STDPose: the sub-pixel decoder in both heads, the key frame alone reads
# the other frames, and STDA has one block.
_base_ = '../../../../configs/_base_/models/stdpose_tiny.py'

subpixel_decoder = dict(
    upsample=4, shuffle_channels=48, deconv_out_channels=None, deconv_kernel_sizes=None
)
light_width = 2 * _base_.embed_dims
model = dict(
    frame_head=subpixel_decoder,
    neck=dict(
        tff=dict(
            _delete_=True,
            type='KeyFrameFusion',
            embed_dims=_base_.embed_dims,
            num_heads=4,
            feedforward_channels=light_width,
        ),
    ),
    head=dict(num_blocks=1, feedforward_channels=light_width, **subpixel_decoder),
)
