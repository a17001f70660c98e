# Propagation over T = 7. The config that inherits names the dataset, its folder and the pipelines.
interval = 7

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        ann_file='annotations/train',
        task='propagation',
        interval=interval,
        random_offset=True,
        on_error='skip',
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        ann_file='annotations/val',
        task='propagation',
        interval=interval,
        boxes='gt',
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='PoseTrackMetric', given_interval=interval, boxes='gt')
test_evaluator = val_evaluator
