# STDPose, pose estimation on PoseTrack17: the neighbouring frames help, no label is given. For
# detected boxes set boxes='detected' and bbox_file in val_dataloader.dataset, and boxes='detected'
# in val_evaluator.
_base_ = 'stdpose_base_propagation_posetrack17.py'

train_dataloader = dict(dataset=dict(task='estimation', random_offset=False))
val_dataloader = dict(dataset=dict(task='estimation'))
test_dataloader = val_dataloader

val_evaluator = dict(given_interval=None)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='posetrack/AP'))
