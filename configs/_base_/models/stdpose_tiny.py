# 2.7 M parameters for 128x96 crops. Three parts are beyond the paper, for training from scratch: a
# convolutional stem, a loss that weights the foreground, and a loss for the frame head.
num_joints = 17
embed_dims = 128

heatmap_head = dict(
    in_channels=embed_dims,
    out_channels=num_joints,
    deconv_out_channels=(96, 64),
    deconv_kernel_sizes=(4, 4),
    loss=dict(type='STDPoseForegroundMSELoss'),
)
model = dict(
    type='STDPose',
    data_preprocessor=dict(
        type='WindowDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='STDPoseViT',
        arch='tiny',
        img_size=(128, 96),
        patch_embed='conv_stem',
        pos_embed_init='sine_cosine',
    ),
    frame_head=dict(type='STDPoseFrameHead', **heatmap_head),
    frame_head_loss_weight=1.0,
    neck=dict(
        type='STDPoseSTRE',
        tff=dict(
            type='STDPoseTemporalFeatureFusion', embed_dims=embed_dims, num_heads=4, num_blocks=2
        ),
        tks=dict(type='STDPoseTemporalKeypointsSynthesis', num_joints=num_joints, use_prior=True),
    ),
    head=dict(
        type='STDPoseSTDAHead',
        feature_size=(8, 6),
        num_heads=4,
        num_blocks=2,
        mask=dict(type='STDPoseDynamicAwareMask', num_joints=num_joints),
        **heatmap_head,
    ),
    test_cfg=dict(flip_test=False),
)
