# The paper's schedule (appendix B): AdamW, 2e-4, x0.1 at epochs 12 and 16, 20 epochs. We chose the
# rest: warm-up, gradient clipping, weight decay, batch size, and a layer-wise decay of the learning
# rate as in ViTPose's own training.
_base_ = 'adamw.py'

train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=1)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(lr=2e-4, weight_decay=0.01),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),
    dict(type='MultiStepLR', begin=0, end=20, milestones=[12, 16], gamma=0.1, by_epoch=True),
]
# The learning rate is for 4 GPUs x 16 windows; --auto-scale-lr adapts it to another total.
auto_scale_lr = dict(base_batch_size=64)
