# A tiny STDPose on JHMDB clips: video files, 15 joints. Lay the clips (videos/, annotations/) under
# data/jhmdb_clips, and split them by their source:
#   python tools/dataset_converters/split_videos.py data/jhmdb_clips/annotations data/jhmdb_split \
#       --group-by source_group --group-letters 8
# Clips of one film may lie on both sides of the tenth that the best checkpoint is chosen by, but
# none of val.txt, which is what is reported.
# Start from the demo's weights: --cfg-options load_from=work_dirs/demo/weights.pth
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance.py'

num_joints = 15
model = dict(
    frame_head=dict(out_channels=num_joints),
    neck=dict(tks=dict(num_joints=num_joints)),
    head=dict(out_channels=num_joints, mask=dict(num_joints=num_joints)),
)

dataset = dict(
    type='GenericWindowDataset', data_root='', data_prefix=dict(video='data/jhmdb_clips')
)
# Clips have 15 to 40 frames; with several intervals the model sees more of the frames.
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='data/jhmdb_split/train.txt', interval=[5, 7, 10])
)
val_dataloader = dict(dataset=dict(**dataset, ann_file='data/jhmdb_split/train.txt'))
test_dataloader = dict(dataset=dict(**dataset, ann_file='data/jhmdb_split/val.txt'))

val_evaluator = dict(type='VideoPCKMetric', ann_file='data/jhmdb_split/train.txt')
test_evaluator = dict(type='VideoPCKMetric', ann_file='data/jhmdb_split/val.txt')
default_hooks = dict(checkpoint=dict(save_best='video/PCK@0.1'))

max_iters = 4000
train_cfg = dict(max_iters=max_iters, val_interval=1000)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
