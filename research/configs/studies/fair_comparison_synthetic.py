# All window models with the same backbone, data, crops and number of steps, tiny, on generated
# clips, tested at several T; STDPose is trained with and without the prior map. A larger budget is
# --steps 7200.
title = 'Window models on generated clips, equal steps'
metrics = ['posetrack/PCK@0.1', 'posetrack/error_percent']
reference = 'STDPose'
tests = [
    dict(
        name=f'T = {interval}',
        cfg_options={
            'test_dataloader.dataset.interval': interval,
            'test_evaluator.given_interval': interval,
        },
    )
    for interval in (3, 7, 10, 15)
]

_like = 'research/configs/baselines/{}_tiny_propagation_synthetic_segments.py'
_appearance = 'configs/{}_tiny_propagation_synthetic_appearance.py'
_stdpose = _appearance.format('stdpose')
_no_prior = {'model.neck.tks.use_prior': False}
entries = [
    dict(name='per-frame ViT', config=_like.format('vit')),
    dict(name='PoseWarper-like', config=_like.format('posewarper')),
    dict(name='DCPose-like', config=_like.format('dcpose')),
    dict(name='STDPose', config=_stdpose),
    dict(
        name='STDPose, wide',
        config='research/configs/stdpose_tiny_propagation_synthetic_appearance_wide.py',
    ),
    dict(name='STDPose, no prior map', config=_stdpose, cfg_options=_no_prior),
    dict(name='semantic motion', config=_appearance.format('semantic_motion')),
]
