# Ablation (a): backbone and head on each frame alone, trained and tested on all frames without
# labels, with the true boxes of the other ablations. The COCO head initialises the head.
_base_ = '../stdpose_base_estimation_posetrack17.py'

model = dict(
    neck=None,
    frame_head=None,
    frame_head_loss_weight=0.0,
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='frame_feature',
        decoder=_base_.codec,
        **_base_.heatmap_head,
    ),
    mi_loss=None,
)
test_dataloader = dict(dataset=dict(boxes='gt', bbox_file=None))
test_evaluator = dict(boxes='gt', oks_nms=None)
