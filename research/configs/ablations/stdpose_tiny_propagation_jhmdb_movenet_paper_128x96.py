# The STDPose that starts from MoveNet with the paper's parts and the prior map, without those
# beyond the paper; backbone, data, loss and schedule are the same.
_base_ = '../stdpose_tiny_propagation_jhmdb_movenet_128x96.py'

num_joints = _base_.num_joints
embed_dims = _base_.embed_dims
heatmap_head = dict(
    in_channels=embed_dims,
    out_channels=num_joints,
    deconv_out_channels=(96, 64),
    deconv_kernel_sizes=(4, 4),
    loss=_base_.heatmap_head.loss,
    decoder=_base_.codec,
)
model = dict(
    frame_head=dict(_delete_=True, type='STDPoseFrameHead', **heatmap_head),
    neck=dict(
        _delete_=True,
        type='STDPoseSTRE',
        tff=dict(
            type='STDPoseTemporalFeatureFusion', embed_dims=embed_dims, num_heads=4, num_blocks=2
        ),
        tks=dict(type='STDPoseTemporalKeypointsSynthesis', num_joints=num_joints, use_prior=True),
    ),
    head=dict(
        _delete_=True,
        type='STDPoseSTDAHead',
        feature_size=(8, 6),
        num_heads=4,
        num_blocks=2,
        mask=dict(type='STDPoseDynamicAwareMask', num_joints=num_joints),
        **heatmap_head,
    ),
)
