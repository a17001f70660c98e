# The STDPose that starts from MoveNet with crops of 128x96 and heatmaps of 32x24, a quarter of the
# time: the size at which the baselines are compared.
_base_ = 'stdpose_tiny_propagation_jhmdb_movenet.py'

codec = dict(type='BoundedUDPHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1)
model = dict(frame_head=dict(decoder=codec), head=dict(decoder=codec, feature_size=(8, 6)))

of_size = dict(
    WindowTopdownAffine=dict(input_size=codec['input_size']),
    GenerateWindowTarget=dict(encoder=codec),
)
train_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

max_iters = 1500
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
