# The light form of the flagship: both heads have the sub-pixel decoder, only the key frame reads
# the other frames, and STDA has one block. ViTPose's checkpoint initialises the backbone.
_base_ = '../stdpose_base_propagation_posetrack17.py'

embed_dims = 768
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
    'td-hm_ViTPose-base-simple_8xb64-210e_coco-256x192-0b8234ea_20230407.pth'
)
