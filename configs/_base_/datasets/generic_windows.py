# Labelled videos of any subject, propagation over T = 7 with interpolated boxes.
# The config that inherits this sets the pipelines, from windows_*.py.
dataset_type = 'GenericWindowDataset'
data_root = 'data/custom/'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/train',
        task='propagation',
        interval=7,
        random_offset=True,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/val',
        task='propagation',
        interval=7,
        boxes='interpolated',
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
