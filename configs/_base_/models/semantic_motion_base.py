# Semantic motion encoder and spatial-motion mutual learning with ViT-B; ViTPose's COCO weights
# initialise backbone and final head.
_base_ = 'stdpose_base.py'

attention = dict(embed_dims=_base_.embed_dims, num_heads=12)
model = dict(
    _delete_=True,
    type='SemanticMotionPose',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    neck=dict(
        type='STDPoseMLSME',
        feature_size=(16, 12),
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
    # An empty heatmap has a loss of 0.004 here (a mean over pixels) and of 40 in the tiny models (a
    # weighted sum); a hidden feature that is not reconstructed has a loss of about 1 in both. So
    # 1e-4 here corresponds to 1 there. Heatmaps of hidden frames have the same loss and weight as
    # the final heatmaps.
    context_loss_weight=1e-4,
    pose_loss_weight=0.2,
    test_cfg=_base_.model.test_cfg,
)
