# PoseTrack18, propagation over T = 7 with ground-truth boxes as in the paper.
# The config that inherits this sets the pipelines, from windows_*.py.
dataset_type = 'PoseTrack18WindowDataset'
data_root = 'data/posetrack18/'

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/train',
        task='propagation',
        interval=7,
        random_offset=True,
        on_error='skip',
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/val',
        task='propagation',
        interval=7,
        boxes='gt',
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
