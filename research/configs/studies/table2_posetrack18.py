# The paper's Table 2 on PoseTrack18. The detections come from
# tools/dataset_converters/detect_people.py. Tested with and without flipping, and with detected and
# true boxes.
_base_ = 'table2_posetrack17.py'

title = 'Pose estimation on PoseTrack18'
entries = [
    dict(name='FAMI-Pose', published={'detected boxes': 82.2}),
    dict(name='DiffPose', published={'detected boxes': 83.0}),
    dict(name='DSTA', published={'detected boxes': 83.4}),
    dict(name='TDMI', published={'detected boxes': 83.6}),
    dict(
        name='per-frame ViT',
        config='research/configs/baselines/vit_base_estimation_posetrack18.py',
        cfg_options=_base_._estimation,
    ),
    dict(
        name='PoseWarper-like',
        config='research/configs/baselines/posewarper_base_propagation_posetrack18.py',
        cfg_options=_base_._estimation,
        published={'detected boxes': 79.7},
    ),
    dict(
        name='DCPose-like',
        config='research/configs/baselines/dcpose_base_propagation_posetrack18.py',
        cfg_options=_base_._estimation,
        published={'detected boxes': 80.9},
    ),
    dict(
        name='STDPose',
        config='configs/stdpose_base_estimation_posetrack18.py',
        published={'detected boxes': 84.5},
    ),
    dict(name='semantic motion', config='configs/semantic_motion_base_estimation_posetrack18.py'),
]
