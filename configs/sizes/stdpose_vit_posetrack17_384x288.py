# The flagship with crops of 384x288. The position embedding of the 256x192 weights is resized.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/schedules/paper_20e.py',
    '../_base_/datasets/windows.py',
    '../_base_/pipelines/windows_384x288.py',
    '../_base_/models/stdpose_vit_base.py',
]

codec = {{_base_.codec}}
model = dict(
    backbone=dict(img_size=(384, 288)),
    frame_head=dict(decoder=codec),
    head=dict(feature_size=(24, 18), decoder=codec),
)
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-base_8xb64-210e_coco-256x192-216eae50_20230314.pth'
)

dataset = dict(type='PoseTrack17WindowDataset', data_root='data/posetrack17/')
train_dataloader = dict(dataset=dict(**dataset, pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(**dataset, pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file='data/posetrack17/annotations/val')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='posetrack/AP_all', rule='greater'))
