# Semantic motion encoder and spatial-motion mutual learning (Feng and Chen, 2025) for pose
# estimation on PoseTrack17, from the neighbouring frames and without given labels. Validated with
# ground-truth boxes, tested with detected boxes; docs/guide/data.md says how to detect people.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/schedules/paper_20e.py',
    '_base_/datasets/posetrack17.py',
    '_base_/models/semantic_motion_base.py',
]

model = dict(head=dict(decoder={{_base_.codec}}))
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-base_8xb64-210e_coco-256x192-216eae50_20230314.pth'
)

dataset = dict(task='estimation')
train_dataloader = dict(dataset=dict(**dataset, random_offset=False))
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dict(**dataset, boxes='detected', bbox_file='detections/val.json'))

val_evaluator = dict(given_interval=None)
test_evaluator = dict(given_interval=None, boxes='detected', oks_nms=0.9)
default_hooks = dict(checkpoint=dict(save_best='posetrack/AP', rule='greater'))
