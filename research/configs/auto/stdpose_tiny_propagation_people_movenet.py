# The STDPose in the package: MoveNet, frozen, as its backbone, crops of 128x96, trained on clips of
# JHMDB and on generated clips at once. `python -m research.tools.merge_labels` gives both the same
# joints; research/auto_people.sh has all commands.
_base_ = '../stdpose_tiny_propagation_jhmdb_movenet_128x96.py'

num_joints = 17
model = dict(
    frame_head=dict(out_channels=num_joints),
    neck=dict(tks=dict(num_joints=num_joints)),
    head=dict(out_channels=num_joints, mask=dict(num_joints=num_joints)),
)

dataset = dict(data_prefix=dict(img='data/generated', video='data/jhmdb_clips'))
train_dataloader = dict(dataset=dict(**dataset, ann_file='data/people/train.txt', held_out_share=0))
val_dataloader = dict(dataset=dict(**dataset, ann_file='data/people/choose.txt', held_out_share=0))
test_dataloader = dict(dataset=dict(**dataset, ann_file='data/people/choose.txt'))
val_evaluator = dict(ann_file='data/people/choose.txt', held_out_share=0)
test_evaluator = dict(ann_file='data/people/choose.txt')

max_iters = 3600
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
