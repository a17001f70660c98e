# The tiny second system, with the backbone and heatmap head of the tiny STDPose. It needs no frame
# head; a per-frame model's weights can initialise backbone and final head.
_base_ = 'stdpose_tiny.py'

attention = dict(embed_dims=_base_.embed_dims, num_heads=4)
model = dict(
    _delete_=True,
    type='SemanticMotionPose',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(
        type='STDPoseMLSME',
        feature_size=(8, 6),
        tube_ratio=0.3,
        tube_length=2,
        masked_frames=1,
        masked_share=0.5,
        context_decoder=dict(type='STDPoseContextDecoder', **attention),
        pose_decoder=dict(type='STDPoseFrameHead', **_base_.heatmap_head),
        **attention,
    ),
    head=dict(
        type='STDPoseSpatialMotionHead',
        fusion=dict(type='STDPoseSpatialMotionMutualLearning', num_blocks=2, **attention),
        **_base_.heatmap_head,
    ),
    # With 1, reconstructing hidden poses reduces accuracy, see research/docs/semantic_motion.md.
    pose_loss_weight=0.2,
    test_cfg=_base_.model.test_cfg,
)
