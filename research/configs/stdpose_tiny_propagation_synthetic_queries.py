# Only joint queries, tiny: backbone, frame head, queries that read the auxiliary frames, and a
# classic head on the feature that they change, as in TAR-ViTPose.
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance_kl.py'

custom_imports = dict(imports=['stdpose_mm', 'research.joint_queries'])
num_joints, embed_dims = _base_.num_joints, _base_.embed_dims
model = dict(
    neck=dict(
        _delete_=True,
        type='JointQuerySTRE',
        queries=dict(num_joints=num_joints, embed_dims=embed_dims, num_heads=4),
    ),
    head=dict(
        _delete_=True,
        type='SingleSourceHead',
        source='fused_feature',
        in_channels=embed_dims,
        out_channels=num_joints,
        deconv_out_channels=(64, 32),
        deconv_kernel_sizes=(4, 4),
        loss=_base_.heatmap_loss,
        decoder=_base_.codec,
    ),
)
