# The second system for pose estimation on JHMDB clips, with the backbone, frame head, data, loss
# and schedule of the STDPose for it, and the parts beyond the paper that make short training more
# effective.
_base_ = 'stdpose_tiny_estimation_jhmdb_movenet_128x96.py'

num_joints = _base_.num_joints
embed_dims = _base_.embed_dims
attention = dict(embed_dims=embed_dims, num_heads=4)
frame_head = {**_base_.model.frame_head, 'decoder': _base_.codec}
heatmap_head = {name: value for name, value in frame_head.items() if name != 'type'}
model = dict(
    type='SemanticMotionPose',
    neck=dict(
        _delete_=True,
        type='STDPoseMLSME',
        feature_size=(8, 6),
        residual=True,
        tube_ratio=0.0,
        masked_frames=0,
        context_decoder=None,
        pose_decoder=None,
        tks=dict(
            type='STDPoseAppearanceKeypointsSynthesis',
            num_joints=num_joints,
            correlation=dict(type='STDPoseAppearanceCorrelation', embed_dims=embed_dims),
            use_prior=True,
        ),
        **attention,
    ),
    head=dict(
        _delete_=True,
        type='STDPoseSpatialMotionHead',
        fusion=dict(type='STDPoseSpatialMotionMutualLearning', num_blocks=1, **attention),
        merged_channels=48,
        **heatmap_head,
    ),
)
