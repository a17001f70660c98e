# The tiny STDPose as the demo trains it, starting from weights trained on other generated clips.
# research/docs/generated_clips.md says how these weights were made.
_base_ = 'stdpose_tiny_propagation_synthetic_appearance_kl.py'

load_from = '{{ fileDirname }}/../demo/stdpose_tiny.pth'

max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=6e-4))
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
