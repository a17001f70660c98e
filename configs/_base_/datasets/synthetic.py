# Propagation with T = 7 on generated videos; see docs/reference/synthetic_data.md.
_base_ = ['windows.py', '../pipelines/windows_128x96.py']

dataset = dict(type='PoseTrack18WindowDataset', data_root='data/synthetic/', on_error='stop')
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='STDPoseSeededInfiniteSampler'),
    dataset=dict(**dataset, pipeline={{_base_.train_pipeline}}),
)
# The tiny models' learning rates are for one process with the batch size of their configs.
auto_scale_lr = dict(base_batch_size=8)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(**dataset, boxes='interpolated', pipeline={{_base_.val_pipeline}}),
)
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/synthetic/annotations/train', boxes='interpolated')
test_evaluator = dict(ann_file='data/synthetic/annotations/val', boxes='interpolated')
