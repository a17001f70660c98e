# Fits a tiny STDPose to one video of which every 7th frame is labelled, here a clip of the
# PoseTrack pilot (pictures, 4 people who cross) under data/posetrack_pilot. It is trained only on
# the given frames and tested on the others. Start from weights, not from scratch:
#   python tools/train.py research/configs/stdpose_tiny_propagation_posetrack_pilot.py \
#       --cfg-options load_from=work_dirs/demo/weights.pth
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance.py'

labels = 'data/posetrack_pilot/annotations/060470979.json'
# As a single video cannot be split, it is tested after the last step, without checkpoint selection.
dataset = dict(
    type='GenericWindowDataset',
    data_root='',
    data_prefix=dict(img='data/posetrack_pilot'),
    held_out_share=0.0,
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **dataset, ann_file=labels, label_interval=7, random_offset=False, keys_per_sample=1
    ),
)
auto_scale_lr = dict(base_batch_size=8)
val_dataloader = dict(dataset=dict(**dataset, ann_file=labels))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=labels, held_out_share=0.0)
test_evaluator = val_evaluator

max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=20),
    dict(_base_.param_scheduler[1], begin=20, end=max_iters, T_max=max_iters - 20),
]
default_hooks = dict(checkpoint=dict(interval=max_iters, save_best=None))
