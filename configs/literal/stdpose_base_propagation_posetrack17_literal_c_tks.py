# Table 4 (c) as in the paper: backbone, frame head and TKS, as in configs/ablations.
_base_ = 'stdpose_base_propagation_posetrack17_literal.py'

num_joints = _base_.num_joints
model = dict(
    neck=dict(tff=None),
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='merged_heatmaps',
        in_channels=num_joints,
        out_channels=num_joints,
        deconv_out_channels=None,
        loss=_base_.model.head.loss,
        decoder=_base_.codec,
    ),
    mi_loss=None,
)
