# The light form of the tiny STDPose: the simple decoder in both heads, the key frame alone reads
# the other frames, and STDA has one block.
_base_ = 'stdpose_tiny.py'

simple_decoder = dict(upsample=4, deconv_out_channels=None, deconv_kernel_sizes=None)
light_width = 2 * _base_.embed_dims
model = dict(
    frame_head=simple_decoder,
    neck=dict(
        tff=dict(
            _delete_=True,
            type='KeyFrameFusion',
            embed_dims=_base_.embed_dims,
            num_heads=4,
            feedforward_channels=light_width,
        ),
    ),
    head=dict(
        num_blocks=1, feedforward_channels=light_width, shuffle_channels=32, **simple_decoder
    ),
)
