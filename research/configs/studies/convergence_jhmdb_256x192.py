# The networks of convergence_jhmdb.py with crops of 256x192 and heatmaps of 64x48, for a GPU:
# `research/real_clips.sh gpu` runs them.
_base_ = 'convergence_jhmdb.py'

_codec = dict(type='BoundedUDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
_large = {
    **{f'model.{part}.decoder': _codec for part in ('frame_head', 'head')},
    **{
        f'{split}_dataloader.dataset.pipeline.{place}.{key}': value
        for split, place, key, value in (
            ('train', 5, 'input_size', _codec['input_size']),
            ('train', 7, 'encoder', _codec),
            ('test', 2, 'input_size', _codec['input_size']),
            ('test', 3, 'encoder', _codec),
        )
    },
}
# Two thirds of the original dilations, as of the size of the heatmaps.
_of_network = {
    'DCPose-like': {'model.neck.dilations': (2, 4, 6, 8, 10)},
    'PoseWarper-like': {'model.neck.dilations': (2, 4, 8, 12, 16)},
}
_grid = {'model.head.feature_size': (16, 12)}
title = 'Window models on JHMDB, crops of 256x192'
tests = _base_.tests[1:2]
entries = [
    dict(entry, cfg_options={**entry.cfg_options, **_large, **_of_network.get(entry.name, _grid)})
    for entry in _base_.entries[:4]
]
