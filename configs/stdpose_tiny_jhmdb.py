# A tiny STDPose on JHMDB clips: video files, 15 joints. Lay the clips (videos/, annotations/) under
# data/jhmdb_clips, and split them by their source:
#   python tools/dataset_converters/split_videos.py data/jhmdb_clips/annotations data/jhmdb_split \
#       --group-by source_group --group-letters 8
_base_ = 'stdpose_tiny_synthetic.py'

num_joints = 15
model = dict(
    frame_head=dict(out_channels=num_joints),
    neck=dict(tks=dict(num_joints=num_joints)),
    head=dict(out_channels=num_joints, mask=dict(num_joints=num_joints)),
)

dataset = dict(
    type='GenericWindowDataset', data_root='', data_prefix=dict(video='data/jhmdb_clips')
)
# Clips have 15 to 40 frames; several intervals show the model more of them.
train_dataloader = dict(
    dataset=dict(**dataset, ann_file='data/jhmdb_split/train.txt', interval=[5, 7, 10])
)
val_dataloader = dict(dataset=dict(**dataset, ann_file='data/jhmdb_split/val.txt'))
test_dataloader = val_dataloader

val_evaluator = dict(type='VideoPCKMetric', ann_file='data/jhmdb_split/val.txt')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='video/PCK@0.1'))
