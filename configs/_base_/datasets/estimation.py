# Estimation: the neighbouring frames help, no label is given. The config that inherits names the
# dataset, its folder and the pipelines. For detected instead of ground-truth boxes, set in
# val_dataloader.dataset boxes='detected', bbox_file=..., and boxes='detected' in val_evaluator.
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(ann_file='annotations/train', task='estimation', on_error='skip'),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(ann_file='annotations/val', task='estimation', boxes='gt', test_mode=True),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='PoseTrackMetric', boxes='gt')
test_evaluator = val_evaluator
