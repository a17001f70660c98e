# Effect of joint queries on real clips, besides STDPose's parts and in place of some: tiny models
# on the training clips of JHMDB, equal steps, pose propagation at T = 7 on the held-out clips.
# Start all of them from a single-frame network, as the paper starts from ViTPose:
#   --cfg-options load_from=work_dirs/vit_tiny_propagation_synthetic_frames/iter_4000.pth
title = 'Joint queries, pose propagation on JHMDB, T = 7'
metrics = ['video/PCK@0.1', 'video/error_percent']
reference = 'as it is'

_loss = dict(type='ForegroundKLLoss', divergence_weight=20.0)
cfg_options = {
    'custom_imports': dict(imports=['stdpose_mm', 'research.joint_queries']),
    'model.head.loss': _loss,
    'model.frame_head.loss': _loss,
    'train_dataloader.batch_size': 10,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'auto_scale_lr.base_batch_size': 10,
}

_jhmdb = 'research/configs/stdpose_tiny_propagation_jhmdb.py'
_queries = dict(type='JointQuerySTRE', queries=dict(num_joints=15, embed_dims=128, num_heads=4))
_beside, _for_tff = {'model.neck': _queries}, {'model.neck': dict(_queries, tff=None)}
_plain_tks = dict(_delete_=True, type='TemporalKeypointsSynthesis', num_joints=15, use_prior=True)
_no_appearance = {'model.neck.tks': _plain_tks, 'model.head.merged_channels': None}

entries = [
    dict(name='as it is', config=_jhmdb),
    dict(name='queries', config=_jhmdb, cfg_options=_beside),
    dict(name='queries for TFF', config=_jhmdb, cfg_options=_for_tff),
    dict(name='no appearance', config=_jhmdb, cfg_options=_no_appearance),
]
