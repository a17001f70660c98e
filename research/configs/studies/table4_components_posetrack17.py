# The upper half of the paper's Table 4: the components of STDPose. (a) sees no labels, so it has
# one set of metrics, of all frames.
title = 'Components of STDPose, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = '(a) backbone and head'

_ablation = 'configs/ablations/stdpose_base_propagation_posetrack17'
_literal = 'configs/literal/stdpose_base_propagation_posetrack17_literal'
_literal_estimation = 'configs/literal/stdpose_base_estimation_posetrack17_literal'
_papers_mask = {'model.head.mask.normalization': 'softmax', 'model.head.mask.slope': 1.5}
entries = [
    dict(
        name='(a) backbone and head',
        config='configs/ablations/stdpose_base_estimation_posetrack17_a_backbone.py',
    ),
    dict(name='(b) TFF', config=f'{_ablation}_b_tff.py'),
    dict(name='(c) TKS', config=f'{_ablation}_c_tks.py'),
    dict(name='(d) TFF, TKS, STDA', config=f'{_ablation}_d_stda.py'),
    dict(name='(e) and DAM', config=f'{_ablation}_e_dam.py'),
    dict(name='(f) and MI', config='configs/stdpose_base_propagation_posetrack17.py'),
    dict(
        name="(e) with the paper's mask",
        config=f'{_ablation}_e_dam.py',
        cfg_options=_papers_mask,
    ),
    # The same rows as in the paper.
    dict(name='(a) literal', config=f'{_literal_estimation}_a_backbone.py'),
    dict(name='(b) literal', config=f'{_literal}_b_tff.py'),
    dict(name='(c) literal', config=f'{_literal}_c_tks.py'),
    dict(
        name='(d) literal',
        config=f'{_literal}.py',
        cfg_options={'model.mi_loss': None, 'model.head.mask': None},
    ),
    dict(name='(e) literal', config=f'{_literal}.py', cfg_options={'model.mi_loss': None}),
    dict(name='(f) literal', config=f'{_literal}.py'),
]
