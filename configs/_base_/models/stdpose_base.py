# STDPose with ViT-B; ViTPose's COCO weights initialise backbone and frame head. In the paper's
# form, which configs/literal has, the mask has next to no effect; here it has one, and so have the
# information terms of the heatmaps.
num_joints = 17
embed_dims = 768

heatmap_head = dict(
    in_channels=embed_dims,
    out_channels=num_joints,
    deconv_out_channels=(256, 256),
    deconv_kernel_sizes=(4, 4),
    loss=dict(type='KeypointMSELoss', use_target_weight=True),
)
model = dict(
    type='STDPose',
    data_preprocessor=dict(
        type='WindowDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='STDPoseViT', arch='base', img_size=(256, 192), drop_path_rate=0.3),
    frame_head=dict(type='STDPoseFrameHead', **heatmap_head),
    # The paper has 0, but two channels of COCO's pretrained head are eyes, not neck and head.
    frame_head_loss_weight=1.0,
    neck=dict(
        type='STDPoseSTRE',
        tff=dict(
            type='STDPoseTemporalFeatureFusion', embed_dims=embed_dims, num_heads=12, num_blocks=2
        ),
        tks=dict(type='STDPoseTemporalKeypointsSynthesis', num_joints=num_joints),
    ),
    head=dict(
        type='STDPoseSTDAHead',
        feature_size=(16, 12),
        num_heads=12,
        num_blocks=2,
        mask=dict(
            type='STDPoseDynamicAwareMask',
            num_joints=num_joints,
            normalization='mean',
            slope=10.0,
            threshold=0.5,
        ),
        **heatmap_head,
    ),
    mi_loss=dict(
        type='STDPoseMutualInformationLoss',
        num_joints=num_joints,
        feature_channels=embed_dims,
        alpha=0.1,
        beta=0.01,
        heatmap_gain=10.0,
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False),
)
