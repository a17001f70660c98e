# The paper's STDPose, its parts one by one, and other window models, trained until the clips of the
# choice (30 of the training clips of JHMDB) gain no more: MoveNet frozen, crops of 128x96.
# `research/real_clips.sh convergence` runs it.
title = 'Window models on JHMDB at the end of training'
metrics = ['video/PCK@0.1', 'video/PCK@0.05', 'video/error_percent']
reference = "STDPose, the paper's parts"
tests = [
    dict(
        name=f'T = {interval}',
        cfg_options={
            'test_dataloader.dataset.interval': interval,
            'test_evaluator.given_interval': interval,
        },
    )
    for interval in (7, 10, 15)
]

# With a constant rate, checkpoints show whether more steps help, and a run can go on from them; at
# the end the rate falls.
_warm_up = dict(type='LinearLR', begin=0, end=60, start_factor=0.02, by_epoch=False)
_decay = dict(
    type='LinearLR', begin=4800, end=6000, start_factor=1, end_factor=0.02, by_epoch=False
)
_schedule = {
    'train_cfg.max_iters': 6000,
    'optim_wrapper.optimizer.lr': 1e-3,
    'param_scheduler': [_warm_up, _decay],
    'default_hooks.checkpoint.interval': 500,
    'default_hooks.checkpoint.max_keep_ckpts': -1,
    'train_dataloader.dataset.ann_file': 'data/jhmdb_split/fit.txt',
    'test_dataloader.dataset.ann_file': 'data/jhmdb_split/choose.txt',
    'test_evaluator.ann_file': 'data/jhmdb_split/choose.txt',
}

_configs = 'research/configs/{}_tiny_propagation_jhmdb_movenet{}_128x96.py'
_paper = {
    **_schedule,
    'model.neck.tks.use_prior': False,
    'model.mi_loss': dict(
        type='STDPoseMutualInformationLoss', num_joints=15, feature_channels=192, per_pixel=False
    ),
}
# The maps that TKS merges are the final ones, as in both baselines.
_merged = dict(
    _delete_=True,
    type='STDPoseSingleSourceHead',
    source='merged_heatmaps',
    in_channels=15,
    out_channels=15,
    deconv_out_channels=None,
    final_layer=None,
    loss=dict(type='STDPoseForegroundKLLoss', divergence_weight=20.0),
    decoder=dict(type='BoundedUDPHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1),
)
entries = [
    dict(name=name, config=_configs.format(*network), cfg_options=options)
    for name, network, options in (
        (reference, ('ablations/stdpose', '_paper'), _paper),
        ('DCPose-like', ('baselines/dcpose', ''), _schedule),
        ('STDPose, beyond the paper', ('stdpose', ''), _schedule),
        ('PoseWarper-like', ('baselines/posewarper', ''), _schedule),
        *(
            (f'paper, {part}', ('ablations/stdpose', '_paper'), {**_paper, **change})
            for part, change in (
                ('no MI', {'model.mi_loss': None}),
                ('no mask', {'model.head.mask': None}),
                ('STDA without attention', {'model.head.num_blocks': 0}),
                ('merged labels are the final maps', {'model.head': _merged}),
                ('with the prior map', {'model.neck.tks.use_prior': True}),
            )
        ),
        (
            'beyond, no path at full resolution',
            ('stdpose', ''),
            {**_schedule, 'model.head.merged_channels': None},
        ),
        ('each frame alone', ('baselines/frames', ''), _schedule),
    )
]
