# A tiny STDPose from scratch on generated videos, on a CPU in minutes; see docs/synthetic_data.md.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/windows.py',
    '_base_/pipelines/windows_128x96.py',
    '_base_/models/stdpose_tiny.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))

dataset = dict(type='PoseTrack18WindowDataset', data_root='data/synthetic/', on_error='stop')
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='SeededInfiniteSampler'),
    dataset=dict(**dataset, pipeline={{_base_.train_pipeline}}),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(**dataset, boxes='interpolated', pipeline={{_base_.val_pipeline}}),
)
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/synthetic/annotations/val', boxes='interpolated')
test_evaluator = val_evaluator

# Steps, not epochs, count here.
default_hooks = dict(
    logger=dict(interval=25, log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=600, save_best='posetrack/AP', rule='greater'),
)
log_processor = dict(by_epoch=False)
