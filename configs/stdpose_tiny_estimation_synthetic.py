# The tiny STDPose, pose estimation on generated videos: the neighbouring frames help, no label is
# given.
_base_ = 'stdpose_tiny_synthetic.py'

train_dataloader = dict(dataset=dict(task='estimation', random_offset=False))
val_dataloader = dict(dataset=dict(task='estimation', boxes='gt'))
test_dataloader = val_dataloader

val_evaluator = dict(given_interval=None, boxes='gt')
test_evaluator = val_evaluator
