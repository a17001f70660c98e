# The lower half of the paper's Table 4: one checkpoint, trained at T = 7, tested at several T.
title = 'Time interval T, pose propagation on PoseTrack17'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
tests = [
    dict(
        name=f'T = {interval}',
        cfg_options={
            'test_dataloader.dataset.interval': interval,
            'test_evaluator.given_interval': interval,
        },
    )
    for interval in (15, 9, 7, 5, 4, 3, 2)
]
entries = [
    dict(name='STDPose', config='configs/stdpose_base_propagation_posetrack17.py'),
    dict(
        name='STDPose, literal',
        config='configs/literal/stdpose_base_propagation_posetrack17_literal.py',
    ),
]
