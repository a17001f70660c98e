# The pose network behind `auto`: a tiny STDPose pretrained on many generated clips, at several
# distances between labels. It has no prior map, because `auto` uses the straight line as separate
# evidence and needs from this network only the evidence of the pictures. `auto` crops each frame at
# its own box and encodes it once.
#   python tools/dataset_converters/make_synthetic_posetrack.py data/generated \
#       --train-videos 800 --val-videos 40 --frames 36 --people 1 3 --seed 1000
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic.py'

model = dict(neck=dict(tks=dict(use_prior=False)))

train_dataloader = dict(dataset=dict(data_root='data/generated/', interval=[5, 7, 10, 15]))
val_dataloader = dict(dataset=dict(data_root='data/generated/', crops='frame'))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='data/generated/annotations/train')
test_evaluator = dict(ann_file='data/generated/annotations/val')

max_iters = 6000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
