# Semantic motion encoder and spatial-motion mutual learning with ViT-B; ViTPose's COCO weights
# start backbone and final head.
num_joints = 17
embed_dims = 768

attention = dict(embed_dims=embed_dims, num_heads=12)
heatmap_head = dict(
    in_channels=embed_dims,
    out_channels=num_joints,
    deconv_out_channels=(256, 256),
    deconv_kernel_sizes=(4, 4),
    loss=dict(type='KeypointMSELoss', use_target_weight=True),
)
model = dict(
    type='SemanticMotionPose',
    data_preprocessor=dict(
        type='WindowDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='ViT', arch='base', img_size=(256, 192), drop_path_rate=0.3),
    neck=dict(
        type='MLSME',
        feature_size=(16, 12),
        tube_ratio=0.3,
        tube_length=2,
        masked_frames=1,
        masked_share=0.5,
        context_decoder=dict(type='ContextDecoder', **attention),
        pose_decoder=dict(type='FrameHead', **heatmap_head),
        **attention,
    ),
    head=dict(
        type='SpatialMotionHead',
        fusion=dict(type='SpatialMotionMutualLearning', num_blocks=2, **attention),
        **heatmap_head,
    ),
    # An empty heatmap costs 0.004 here, a mean over pixels, and 40 in the tiny models, a weighted
    # sum; a hidden feature that is not reconstructed costs about 1 in both. So 1e-4 here is what 1
    # is there. Heatmaps of hidden frames have the same loss as the final ones, weighed as there.
    context_loss_weight=1e-4,
    pose_loss_weight=0.2,
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False),
)
