# The small form of Table 3: tiny models on generated clips.
title = 'Pose estimation on generated clips, trained on sparse labels and pseudo-labels'
metrics = ['posetrack/AP', 'posetrack/PCK@0.1']
reference = 'all labels'

_propagation = 'configs/stdpose_tiny_propagation_synthetic.py'
_estimation = 'configs/stdpose_tiny_estimation_synthetic.py'
_train = 'train_dataloader.dataset'
entries = []
for _interval in (7, 4, 2):
    _sparse = {f'{_train}.label_interval': _interval, f'{_train}.random_offset': False}
    entries += [
        dict(
            name=f'propagation, T = {_interval}',
            config=_propagation,
            cfg_options=_sparse,
            tested=False,
        ),
        dict(
            name=f'sparse labels alone, T = {_interval}',
            config=_estimation,
            cfg_options={f'{_train}.label_interval': _interval},
        ),
        dict(
            name=f'pseudo-labels, T = {_interval}',
            config=_estimation,
            pseudo_labels=dict(
                of=f'propagation, T = {_interval}',
                labels='data/synthetic/annotations/train',
                arguments=dict(
                    method='stdpose',
                    image_root='data/synthetic',
                    interval=_interval,
                    min_score=0.2,
                ),
            ),
        ),
    ]
entries.append(dict(name='all labels', config=_estimation))
