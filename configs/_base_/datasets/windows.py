# Propagation with T = 7. The inheriting config names the dataset, its folder and the pipelines. The
# best checkpoint is chosen on a tenth of the training videos, which is held out from training.
# tools/test.py reports results on the dataset's own validation set.
interval = 7
held_out_share = 0.1
# What MMPose's inferencers read: a person per sample, found by the detector for "body" datasets.
data_mode = 'topdown'
dataset_type = 'PoseTrack18WindowDataset'

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    # Not in testing, where MMPose's inferencers cannot read it.
    collate_fn=dict(type='stdpose_packed_collate'),
    sampler=dict(type='STDPoseSeededSampler', shuffle=True),
    dataset=dict(
        ann_file='annotations/train',
        task='propagation',
        interval=interval,
        random_offset=True,
        held_out_share=held_out_share,
        on_error='skip',
    ),
)
in_order = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
)
test_windows = dict(task='propagation', interval=interval, boxes='gt', test_mode=True)
val_dataloader = dict(
    **in_order,
    dataset=dict(
        **test_windows,
        ann_file='annotations/train',
        held_out_share=held_out_share,
        held_out='only',
    ),
)
test_dataloader = dict(**in_order, dataset=dict(**test_windows, ann_file='annotations/val'))

test_evaluator = dict(type='STDPosePoseTrackMetric', given_interval=interval, boxes='gt')
val_evaluator = dict(**test_evaluator, held_out_share=held_out_share, held_out='only')
