# Propagation with T = 7 on PoseTrack17, with crops of 256x192.
_base_ = ['windows.py', '../pipelines/windows_256x192.py']

dataset = dict(type='PoseTrack17WindowDataset', data_root='data/posetrack17/')
train_dataloader = dict(dataset=dict(**dataset, pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(**dataset, pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/posetrack17/annotations/train')
test_evaluator = dict(ann_file='data/posetrack17/annotations/val')
