# The tiny STDPose on many generated clips, at several distances between labels, starting from a
# single-frame network: it gives the weights from which the demo's training starts.
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance_kl.py'

load_from = 'work_dirs/vit_tiny_propagation_synthetic_frames/iter_4000.pth'

train_dataloader = dict(
    dataset=dict(data_root='data/many_clips/', interval=[5, 7, 10, 15], held_out_share=0.0)
)

max_iters = 3000
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
