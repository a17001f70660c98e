# The paper's Table 2 on PoseTrack17. The detections come from
# tools/dataset_converters/detect_people.py. Tested with and without flipping, and with detected and
# true boxes.
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

_baselines = {
    'per-frame ViT': 'vit_base_estimation',
    'PoseWarper-like': 'posewarper_base_propagation',
    'DCPose-like': 'dcpose_base_propagation',
}
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
    dict(
        name=name,
        config=f'research/configs/baselines/{config}_posetrack17.py',
        cfg_options=_estimation,
    )
    for name, config in _baselines.items()
]
entries += [
    dict(name='STDPose', config='configs/stdpose_base_estimation_posetrack17.py'),
    dict(
        name='STDPose, literal',
        config='configs/literal/stdpose_base_estimation_posetrack17_literal.py',
    ),
    dict(name='semantic motion', config='configs/semantic_motion_base_estimation_posetrack17.py'),
]
