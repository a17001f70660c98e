# The paper's Table 5: slope k and threshold theta of the modified sigmoid (Eq. 3), with the
# flagship's form of the mask, in which they have an effect.
title = 'k and theta of the dynamic-aware mask, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP']
reference = 'k = 1.5, theta = 0.5'
x_label = 'k'

_published = {
    0: {0.5: 90.6, 1: 90.6, 1.5: 90.7, 2: 90.7, 5: 90.6},
    0.2: {0.5: 90.6, 1: 90.7, 1.5: 90.8, 2: 90.7, 5: 90.7},
    0.5: {0.5: 90.7, 1: 90.8, 1.5: 90.9, 2: 90.8, 5: 90.8},
    0.7: {0.5: 90.6, 1: 90.7, 1.5: 90.8, 2: 90.8, 5: 90.7},
}
entries = [
    dict(
        name=f'k = {slope}, theta = {threshold}',
        config='configs/stdpose_base_propagation_posetrack17.py',
        cfg_options={'model.head.mask.slope': slope, 'model.head.mask.threshold': threshold},
        x=slope,
        series=f'theta = {threshold}',
        published=value,
    )
    for threshold, of_threshold in _published.items()
    for slope, value in of_threshold.items()
]
