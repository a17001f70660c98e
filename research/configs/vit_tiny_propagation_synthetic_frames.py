# The tiny ViT alone on many generated clips: the first training of the weights of the demo's
# STDPose. A sample has the crops of six frames of a person, of which only the key frames are seen.
#   python tools/dataset_converters/make_synthetic_posetrack.py data/many_clips \
#       --train-videos 800 --val-videos 20 --people 1 3 --footage mixed --seed 3000
_base_ = 'baselines/vit_tiny_propagation_synthetic_segments.py'

model = dict(head=dict(loss=dict(type='STDPoseForegroundKLLoss', divergence_weight=20.0)))
train_dataloader = dict(
    batch_size=10,
    dataset=dict(data_root='data/many_clips/', keys_per_sample=6, held_out_share=0.0),
)
auto_scale_lr = dict(base_batch_size=10)
optim_wrapper = dict(optimizer=dict(lr=1.8e-3, fused=True))

max_iters = 4000
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
