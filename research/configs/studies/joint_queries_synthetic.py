# Effect of joint queries on the demo's network, besides its parts and in place of some: tiny models
# on generated clips, trained with equal steps, pose propagation at T = 7.
title = 'Joint queries, pose propagation on generated clips, T = 7'
metrics = ['posetrack/AP', 'posetrack/PCK@0.1', 'posetrack/error_percent']
reference = 'as it is'
cfg_options = {'custom_imports': dict(imports=['stdpose_mm', 'research.joint_queries'])}

_demo = 'configs/stdpose_tiny_propagation_synthetic_appearance_kl.py'
_queries = dict(type='JointQuerySTRE', queries=dict(num_joints=17, embed_dims=128, num_heads=4))
_beside, _for_tff = {'model.neck': _queries}, {'model.neck': dict(_queries, tff=None)}
_plain_tks = dict(_delete_=True, type='TemporalKeypointsSynthesis', num_joints=17, use_prior=True)
_no_appearance = {'model.neck.tks': _plain_tks, 'model.head.merged_channels': None}
_alone = 'research/configs/stdpose_tiny_propagation_synthetic_queries.py'

entries = [
    dict(name='as it is', config=_demo),
    dict(name='queries', config=_demo, cfg_options=_beside),
    dict(name='queries for TFF', config=_demo, cfg_options=_for_tff),
    dict(name='no appearance', config=_demo, cfg_options=_no_appearance),
    dict(name='queries alone', config=_alone),
    dict(name='queries, no appearance', config=_demo, cfg_options={**_beside, **_no_appearance}),
]
