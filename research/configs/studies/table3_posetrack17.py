# The paper's Table 3: pose propagation trained on every T-th frame fills in the other labels of the
# training set, and pose estimation is trained on both. It is tested with detected boxes, and
# compared with estimation trained only on the sparse labels.
title = 'Pose estimation on PoseTrack17, trained on sparse labels and pseudo-labels'
metrics = ['posetrack/AP']
reference = 'all labels'
# Epochs with fewer labelled frames have fewer steps.
budget = 'own'

_propagation = 'configs/stdpose_base_propagation_posetrack17.py'
_estimation = 'configs/stdpose_base_estimation_posetrack17.py'
_train = 'train_dataloader.dataset'
_published = {7: 82.4, 4: 84.3, 2: 85.2}
entries = [dict(name='FAMI-Pose, all labels', published=84.8)]
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
                labels='data/posetrack17/annotations/train',
                arguments=dict(
                    method='stdpose',
                    image_root='data/posetrack17',
                    interval=_interval,
                    min_score=0.2,
                ),
            ),
            published=_published[_interval],
        ),
    ]
entries.append(dict(name='all labels', config=_estimation, published=87.4))
