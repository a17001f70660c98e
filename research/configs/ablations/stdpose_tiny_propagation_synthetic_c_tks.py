# Ablation (c), tiny: backbone, frame head and TKS, without the prior map (not part of the paper).
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

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
        loss=_base_.heatmap_head.loss,
        decoder=_base_.codec,
    ),
)
