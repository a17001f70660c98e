# The upper half of the paper's Table 4: the components of STDPose.
title = 'Components of STDPose, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = '(a) backbone and head'

entries = [
    dict(
        name='(a) backbone and head',
        config='configs/ablations/stdpose_base_propagation_posetrack17_a_backbone.py',
        published=86.8,
    ),
    dict(
        name='(b) TFF',
        config='configs/ablations/stdpose_base_propagation_posetrack17_b_tff.py',
        published=88.4,
    ),
    dict(
        name='(c) TKS',
        config='configs/ablations/stdpose_base_propagation_posetrack17_c_tks.py',
        published=88.6,
    ),
    dict(
        name='(d) TFF, TKS, STDA',
        config='configs/ablations/stdpose_base_propagation_posetrack17_d_stda.py',
        published=89.6,
    ),
    dict(
        name='(e) and DAM',
        config='configs/ablations/stdpose_base_propagation_posetrack17_e_dam.py',
        published=90.3,
    ),
    dict(
        name='(f) and MI',
        config='research/configs/ablations/stdpose_base_propagation_posetrack17_f_mi.py',
        published=90.9,
    ),
    dict(
        name='(e) with the mask that acts',
        config='research/configs/ablations/stdpose_base_propagation_posetrack17_e_dam_acting.py',
    ),
    dict(
        name='(f) with both forms that act',
        config='research/configs/ablations/stdpose_base_propagation_posetrack17_f_mi_acting.py',
    ),
]
