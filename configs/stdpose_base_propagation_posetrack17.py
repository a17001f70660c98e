# STDPose (Jiao et al., AAAI 2025), pose propagation on PoseTrack17 with T = 7: the flagship.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/schedules/paper_20e.py',
    '_base_/datasets/windows.py',
    '_base_/pipelines/windows_256x192.py',
    '_base_/models/stdpose_base.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
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
