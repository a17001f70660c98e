# The second system, tiny: semantic motion encoder and spatial-motion mutual learning, for pose
# estimation on generated videos. Backbone, heatmap head, loss, data and schedule are those of the
# tiny STDPose.
_base_ = 'stdpose_tiny_estimation_synthetic.py'

attention = dict(embed_dims=_base_.embed_dims, num_heads=4)
model = dict(
    type='SemanticMotionPose',
    neck=dict(
        _delete_=True,
        type='MLSME',
        feature_size=(8, 6),
        num_patch_blocks=1,
        num_frame_blocks=1,
        tube_ratio=0.3,
        tube_length=2,
        masked_frames=1,
        masked_share=0.5,
        context_decoder=dict(type='ContextDecoder', **attention),
        pose_decoder=dict(type='FrameHead', **_base_.heatmap_head),
        **attention,
    ),
    head=dict(
        _delete_=True,
        type='SpatialMotionHead',
        fusion=dict(type='SpatialMotionMutualLearning', num_blocks=2, **attention),
        decoder=_base_.codec,
        **_base_.heatmap_head,
    ),
)
