# Parts of the light form of the tiny models, from which their configs choose.
light_width = 2 * 128
subpixel_decoder = dict(
    upsample=4, shuffle_channels=48, deconv_out_channels=None, deconv_kernel_sizes=None
)
key_frame_fusion = dict(
    type='STDPoseKeyFrameFusion', embed_dims=128, num_heads=4, feedforward_channels=light_width
)
