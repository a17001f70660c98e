# The second system, tiny: the backbone, heatmap head and loss of the tiny STDPose. It needs no
# frame head; a per-frame model's weights start backbone and final head.
num_joints = 17
embed_dims = 128

attention = dict(embed_dims=embed_dims, num_heads=4)
heatmap_head = dict(
    in_channels=embed_dims,
    out_channels=num_joints,
    deconv_out_channels=(96, 64),
    deconv_kernel_sizes=(4, 4),
    loss=dict(type='ForegroundMSELoss'),
)
model = dict(
    type='SemanticMotionPose',
    data_preprocessor=dict(
        type='WindowDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ViT',
        arch='tiny',
        img_size=(128, 96),
        patch_embed='conv_stem',
        pos_embed_init='sine_cosine',
    ),
    neck=dict(
        type='MLSME',
        feature_size=(8, 6),
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
    # At 1 the reconstruction of hidden poses costs accuracy, see docs/semantic_motion.md.
    pose_loss_weight=0.2,
    test_cfg=dict(flip_test=False),
)
