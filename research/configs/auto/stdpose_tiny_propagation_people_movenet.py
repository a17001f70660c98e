# An STDPose for `auto`: MoveNet, frozen, as its backbone, crops of 128x96, trained on JHMDB clips
# and on generated clips. `python -m research.tools.merge_labels` gives both the same joints;
# research/real_clips.sh has all commands.
_base_ = '../stdpose_tiny_propagation_jhmdb_movenet_128x96.py'

num_joints = 17
model = dict(
    frame_head=dict(out_channels=num_joints),
    neck=dict(tks=dict(num_joints=num_joints)),
    head=dict(out_channels=num_joints, mask=dict(num_joints=num_joints)),
)

dataset = dict(data_prefix=dict(img='data/generated', video='data/jhmdb_clips'))
all_clips = dict(held_out_share=0.0, held_out='exclude')
choice = dict(ann_file='data/people/choose.txt')
train_dataloader = dict(dataset=dict(**dataset, **all_clips, ann_file='data/people/people.txt'))
val_dataloader = dict(dataset=dict(**dataset, **all_clips, **choice))
test_dataloader = dict(dataset=dict(**dataset, **choice))
val_evaluator = dict(**all_clips, **choice)
test_evaluator = choice

max_iters = 3000
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
