# Pose estimation on JHMDB clips from the frames before and after, without labels: the parts, data
# and schedule of the STDPose that starts from MoveNet. All frames of the training clips are
# labelled.
_base_ = 'stdpose_tiny_propagation_jhmdb_movenet_128x96.py'

train_dataloader = dict(
    batch_size=12,
    dataset=dict(task='estimation', boxes='gt', interval=7, random_offset=False, keys_per_sample=1),
)
estimation = dict(dataset=dict(task='estimation', boxes='gt'))
val_dataloader = estimation
test_dataloader = estimation
evaluator = dict(given_interval=None, boxes='gt')
val_evaluator = evaluator
test_evaluator = evaluator
auto_scale_lr = dict(base_batch_size=12)
