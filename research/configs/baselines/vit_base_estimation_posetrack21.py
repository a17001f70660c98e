# ViT-B and a heatmap head, each frame alone, on PoseTrack21.
_base_ = 'vit_base_estimation_posetrack17.py'

dataset = dict(type='PoseTrack21WindowDataset', data_root='data/posetrack21/')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/posetrack21/annotations/train')
test_evaluator = dict(ann_file='data/posetrack21/annotations/val')
