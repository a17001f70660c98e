# A tiny STDPose on JHMDB clips: video files, 15 joints. Put the clips (videos/, annotations/) into
# data/jhmdb_clips, and split them by their source:
#   python tools/dataset_converters/split_videos.py data/jhmdb_clips/annotations data/jhmdb_split \
#       --group-by source_group --group-letters 8
# The tenth of the clips that chooses the best checkpoint may share films with the training clips,
# but val.txt, on which results are reported, shares none.
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
# Clips have 15 to 40 frames; several intervals let the model see more of them.
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='data/jhmdb_split/train.txt', interval=[5, 7, 10])
)
val_dataloader = dict(dataset=dict(**dataset, ann_file='data/jhmdb_split/train.txt'))
test_dataloader = dict(dataset=dict(**dataset, ann_file='data/jhmdb_split/val.txt'))

val_evaluator = dict(type='STDPoseVideoPCKMetric', ann_file='data/jhmdb_split/train.txt')
test_evaluator = dict(type='STDPoseVideoPCKMetric', ann_file='data/jhmdb_split/val.txt')
default_hooks = dict(checkpoint=dict(save_best='video/PCK@0.1'))

max_iters = 4000
train_cfg = dict(max_iters=max_iters, val_interval=1000)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
