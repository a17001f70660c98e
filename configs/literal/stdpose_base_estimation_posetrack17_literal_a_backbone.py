# Table 4 (a) as in the paper: backbone and head on each frame alone, as in configs/ablations.
_base_ = 'stdpose_base_estimation_posetrack17_literal.py'

head = dict(_base_.heatmap_head, loss=_base_.model.head.loss)
model = dict(
    neck=None,
    frame_head=None,
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='frame_feature',
        decoder=_base_.codec,
        **head,
    ),
    mi_loss=None,
)
test_dataloader = dict(dataset=dict(boxes='gt', bbox_file=None))
test_evaluator = dict(boxes='gt', oks_nms=None)
