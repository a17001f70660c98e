# The light form with ViT-S instead of ViT-B.
_base_ = '../sizes/stdpose_small_propagation_posetrack17.py'

embed_dims = 384
subpixel_decoder = dict(
    upsample=4, shuffle_channels=48, deconv_out_channels=None, deconv_kernel_sizes=None
)
light_width = 2 * embed_dims
model = dict(
    frame_head=subpixel_decoder,
    # No released checkpoint has this decoder, so the frame head has to be trained.
    frame_head_loss_weight=1.0,
    neck=dict(
        tff=dict(
            _delete_=True,
            type='STDPoseKeyFrameFusion',
            embed_dims=embed_dims,
            num_heads=12,
            feedforward_channels=light_width,
        ),
    ),
    head=dict(num_blocks=1, feedforward_channels=light_width, **subpixel_decoder),
)
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-small-simple_8xb64-210e_coco-256x192-4c101a76_20230314.pth'
)
