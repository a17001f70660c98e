# ViT-B and a heatmap head, each frame alone, on PoseTrack18.
_base_ = 'vit_base_estimation_posetrack17.py'

dataset = dict(type='PoseTrack18WindowDataset', data_root='data/posetrack18/')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/posetrack18/annotations/train')
test_evaluator = dict(ann_file='data/posetrack18/annotations/val')
