# All window models with the same backbone, data, crops and number of steps, tiny, on generated
# clips, tested at several T; models that can read the prior map are trained with and without it.
# For a larger budget, give --steps 7200.
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
_segments = 'research/configs/{}_tiny_propagation_synthetic_segments.py'
_appearance = 'configs/{}_tiny_propagation_synthetic_appearance.py'
_no_prior = {'model.neck.tks.use_prior': False}
_wide = 'research/configs/stdpose_tiny_propagation_synthetic_appearance_wide.py'
entries = [
    dict(name=name, config=config, cfg_options=options)
    for name, config, options in (
        ('per-frame ViT', _like.format('vit'), {}),
        ('PoseWarper-like', _like.format('posewarper'), {}),
        ('DCPose-like', _like.format('dcpose'), {}),
        ('STDPose', _appearance.format('stdpose'), {}),
        ('STDPose, wide', _wide, {}),
        ('STDPose, no prior map', _appearance.format('stdpose'), _no_prior),
        ("STDPose, the paper's parts and the prior map", _segments.format('stdpose'), {}),
        ("STDPose, the paper's parts", _segments.format('stdpose'), _no_prior),
        ('semantic motion', _appearance.format('semantic_motion'), {}),
        (
            "semantic motion, the paper's parts and the prior map",
            _segments.format('semantic_motion'),
            {},
        ),
    )
]
