# For training from scratch in minutes on a CPU: many small steps, a high learning rate, bf16.
_base_ = 'adamw.py'

max_iters = 1800
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=600)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.05),
)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=60, start_factor=0.02, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=60,
        end=max_iters,
        T_max=max_iters - 60,
        eta_min_ratio=0.02,
        by_epoch=False,
    ),
]
