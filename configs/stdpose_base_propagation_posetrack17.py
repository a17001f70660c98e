# The flagship: STDPose (Jiao et al., AAAI 2025) for pose propagation on PoseTrack17 with T = 7.
# configs/literal has the settings of the paper where this departs from them.
_base_ = [
    '_base_/default_runtime.py',
    '_base_/schedules/paper_20e.py',
    '_base_/datasets/posetrack17.py',
    '_base_/models/stdpose_base.py',
]

codec = {{_base_.codec}}
model = dict(head=dict(decoder=codec), frame_head=dict(decoder=codec))
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-base_8xb64-210e_coco-256x192-216eae50_20230314.pth'
)

default_hooks = dict(checkpoint=dict(save_best='posetrack/AP_all', rule='greater'))
