# From scratch in minutes on a CPU: many small steps at a high rate, bf16 autocast.
max_iters = 1800

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=600)
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    type='AutocastOptimWrapper',
    optimizer=dict(type='AdamW', lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys=dict(
            pos_embed=dict(decay_mult=0.0),
            frame_embed=dict(decay_mult=0.0),
            tube_token=dict(decay_mult=0.0),
            frame_token=dict(decay_mult=0.0),
        ),
    ),
    clip_grad=dict(max_norm=1.0),
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
auto_scale_lr = dict(base_batch_size=8)
