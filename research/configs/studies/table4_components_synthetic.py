# The small form of the upper half of Table 4, tiny models on generated clips, without the prior.
# (a) sees no labels, so it has one set of metrics, of all frames.
title = 'Components of STDPose, pose propagation on generated clips, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = '(a) backbone and head'

entries = [
    dict(
        name='(a) backbone and head',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_a_backbone.py',
    ),
    dict(
        name='(b) TFF',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_b_tff.py',
    ),
    dict(
        name='(c) TKS',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_c_tks.py',
    ),
    dict(
        name='(d) TFF, TKS, STDA',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_d_stda.py',
    ),
    dict(
        name='(e) and DAM',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_e_dam.py',
    ),
    dict(
        name='(f) and MI',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_f_mi.py',
    ),
    dict(
        name='(e) with the mask that acts',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_e_dam_acting.py',
    ),
    dict(
        name='(f) with both forms that act',
        config='research/configs/ablations/stdpose_tiny_propagation_synthetic_f_mi_acting.py',
    ),
]
