# Ablation (b): backbone, TFF and head. No heatmaps are merged, so given labels are not used. The
# COCO head initialises the head.
_base_ = 'stdpose_base_propagation_posetrack17_e_dam.py'

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
