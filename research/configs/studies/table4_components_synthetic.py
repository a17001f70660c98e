# The small form of the upper half of Table 4, tiny models on generated clips, without the prior.
# (a) sees no labels, so it has one set of metrics, of all frames.
title = 'Components of STDPose, pose propagation on generated clips, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = '(a) backbone and head'

_components = {
    '(a) backbone and head': 'a_backbone',
    '(b) TFF': 'b_tff',
    '(c) TKS': 'c_tks',
    '(d) TFF, TKS, STDA': 'd_stda',
    '(e) and DAM': 'e_dam',
    '(f) and MI': 'f_mi',
    '(e) with the mask that acts': 'e_dam_acting',
    '(f) with both forms that act': 'f_mi_acting',
}
_ablation = 'research/configs/ablations/stdpose_tiny_propagation_synthetic'
entries = [dict(name=name, config=f'{_ablation}_{part}.py') for name, part in _components.items()]
entries.append(
    dict(
        name='(f) with an embedding of each token in TFF',
        config=f'{_ablation}_f_mi.py',
        cfg_options={'model.neck.tff.feature_size': (8, 6)},
    )
)
