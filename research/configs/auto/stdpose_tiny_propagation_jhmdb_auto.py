# The pose network behind `auto`, fine-tuned on labelled clips of JHMDB;
# research/tools/train_auto.py sets the clips and the initial weights.
_base_ = '../stdpose_tiny_propagation_jhmdb.py'

model = dict(neck=dict(tks=dict(use_prior=False)))

train_dataloader = dict(dataset=dict(interval=[5, 7, 10, 15]))

max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
