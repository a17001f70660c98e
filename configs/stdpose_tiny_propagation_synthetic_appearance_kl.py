# The tiny STDPose beyond the paper for two cores: batches large enough to keep them busy, and a
# loss that also compares heatmaps as distributions.
_base_ = 'stdpose_tiny_propagation_synthetic_appearance.py'

heatmap_loss = dict(type='STDPoseForegroundKLLoss', divergence_weight=20.0)
model = dict(head=dict(loss=heatmap_loss), frame_head=dict(loss=heatmap_loss))

# Samples are cheap to load, and a worker would take a core from the threads of the model.
train_dataloader = dict(batch_size=10, num_workers=0, persistent_workers=False)
auto_scale_lr = dict(base_batch_size=10)
optim_wrapper = dict(optimizer=dict(lr=1.8e-3, fused=True))

max_iters = 1750
train_cfg = dict(max_iters=max_iters, val_interval=875)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
default_hooks = dict(checkpoint=dict(interval=875))
