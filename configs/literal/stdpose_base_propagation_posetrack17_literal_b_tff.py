# Table 4 (b) as in the paper: backbone, TFF and head, as in configs/ablations.
_base_ = 'stdpose_base_propagation_posetrack17_literal.py'

head = dict(_base_.heatmap_head, loss=_base_.model.head.loss)
model = dict(
    frame_head=None,
    neck=dict(tks=None),
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='fused_feature',
        decoder=_base_.codec,
        **head,
    ),
    mi_loss=None,
)
