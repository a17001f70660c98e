# The paper's Table 5: slope k and threshold theta of the modified sigmoid (Eq. 3), with the
# flagship's form of the mask, in which they have an effect.
title = 'k and theta of the dynamic-aware mask, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP']
reference = 'k = 1.5, theta = 0.5'

entries = [
    dict(
        name=f'k = {slope}, theta = {threshold}',
        config='configs/stdpose_base_propagation_posetrack17.py',
        cfg_options={'model.head.mask.slope': slope, 'model.head.mask.threshold': threshold},
    )
    for threshold in (0, 0.2, 0.5, 0.7)
    for slope in (0.5, 1, 1.5, 2, 5)
]
