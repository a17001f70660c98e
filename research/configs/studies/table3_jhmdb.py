# The small form of Table 3 on real clips: tiny models on JHMDB. Start all of them from weights of
# generated clips: --cfg-options load_from=work_dirs/demo/weights.pth
title = 'Pose estimation on JHMDB, trained on sparse labels and pseudo-labels'
metrics = ['video/PCK@0.1', 'video/error_percent']
reference = 'all labels'

_config = 'research/configs/stdpose_tiny_propagation_jhmdb.py'
_train = 'train_dataloader.dataset'
# With sparse labels and neighbouring frames, each sample has one key frame.
_single = {
    'train_dataloader.batch_size': 8,
    'auto_scale_lr.base_batch_size': 8,
    f'{_train}.keys_per_sample': 1,
}
_estimation = {
    **_single,
    f'{_train}.boxes': 'gt',
    f'{_train}.task': 'estimation',
    f'{_train}.interval': 7,
    f'{_train}.random_offset': False,
    'test_dataloader.dataset.task': 'estimation',
    'test_dataloader.dataset.boxes': 'gt',
    'test_evaluator.given_interval': None,
    'test_evaluator.boxes': 'gt',
}
entries = []
for _interval in (7, 4, 2):
    _sparse = {f'{_train}.label_interval': _interval}
    entries += [
        dict(
            name=f'propagation, T = {_interval}',
            config=_config,
            cfg_options={
                **_single,
                **_sparse,
                f'{_train}.interval': 7,
                f'{_train}.random_offset': False,
            },
            tested=False,
        ),
        dict(
            name=f'sparse labels alone, T = {_interval}',
            config=_config,
            cfg_options={**_estimation, **_sparse},
        ),
        dict(
            name=f'pseudo-labels, T = {_interval}',
            config=_config,
            cfg_options=_estimation,
            pseudo_labels=dict(
                of=f'propagation, T = {_interval}',
                labels='data/jhmdb_split/train.txt',
                arguments=dict(
                    method='stdpose',
                    video_root='data/jhmdb_clips',
                    interval=_interval,
                    min_score=0.2,
                ),
            ),
        ),
    ]
entries.append(dict(name='all labels', config=_config, cfg_options=_estimation))
