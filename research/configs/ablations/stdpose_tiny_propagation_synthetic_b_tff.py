# Ablation (b), tiny: backbone, TFF and head. No heatmaps are merged, so given labels are not used.
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic.py'

model = dict(
    frame_head=None,
    frame_head_loss_weight=0.0,
    neck=dict(tks=None),
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='fused_feature',
        decoder=_base_.codec,
        **_base_.heatmap_head,
    ),
)
