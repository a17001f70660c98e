# The paper's Table 2 on PoseTrack17. The detections come from
# tools/dataset_converters/detect_people.py. Tested with and without flipping, and with detected and
# true boxes. The -like models have the published values of the originals.
title = 'Pose estimation on PoseTrack17'
tests = [
    dict(name='detected boxes'),
    dict(name='no flip test', cfg_options={'model.test_cfg.flip_test': False}),
    dict(
        name='ground-truth boxes',
        cfg_options={
            'test_dataloader.dataset.boxes': 'gt',
            'test_dataloader.dataset.bbox_file': None,
            'test_evaluator.boxes': 'gt',
            'test_evaluator.oks_nms': None,
        },
    ),
]
metrics = ['posetrack/AP']
reference = 'STDPose'

# The baselines' configs are for propagation; this changes them to estimation.
_estimation = {
    'train_dataloader.dataset.task': 'estimation',
    'train_dataloader.dataset.random_offset': False,
    'test_dataloader.dataset.task': 'estimation',
    'test_dataloader.dataset.boxes': 'detected',
    'test_dataloader.dataset.bbox_file': 'detections/val.json',
    'test_evaluator.given_interval': None,
    'test_evaluator.boxes': 'detected',
    'test_evaluator.oks_nms': 0.9,
}
entries = [
    dict(name='PoseFlow', published={'detected boxes': 66.5}),
    dict(name='FAMI-Pose', published={'detected boxes': 84.8}),
    dict(name='DSTA', published={'detected boxes': 85.6}),
    dict(name='TDMI', published={'detected boxes': 85.9}),
    dict(name='DiffPose', published={'detected boxes': 86.4}),
    dict(
        name='per-frame ViT',
        config='research/configs/baselines/vit_base_estimation_posetrack17.py',
        cfg_options=_estimation,
    ),
    dict(
        name='PoseWarper-like',
        config='research/configs/baselines/posewarper_base_propagation_posetrack17.py',
        cfg_options=_estimation,
        published={'detected boxes': 81.2},
    ),
    dict(
        name='DCPose-like',
        config='research/configs/baselines/dcpose_base_propagation_posetrack17.py',
        cfg_options=_estimation,
        published={'detected boxes': 82.8},
    ),
    dict(
        name='STDPose',
        config='configs/stdpose_base_estimation_posetrack17.py',
        published={'detected boxes': 87.4},
    ),
    dict(name='semantic motion', config='configs/semantic_motion_base_estimation_posetrack17.py'),
]
