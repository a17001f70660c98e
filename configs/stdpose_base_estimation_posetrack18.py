# STDPose for pose estimation on PoseTrack18, from the neighbouring frames and without given labels.
# Validated with ground-truth boxes, tested with detected boxes; docs/guide/data.md says how to
# detect people.
_base_ = 'stdpose_base_propagation_posetrack18.py'

train_dataloader = dict(dataset=dict(task='estimation', random_offset=False))
val_dataloader = dict(dataset=dict(task='estimation'))
test_dataloader = dict(
    dataset=dict(task='estimation', boxes='detected', bbox_file='detections/val.json')
)

val_evaluator = dict(given_interval=None)
test_evaluator = dict(given_interval=None, boxes='detected', oks_nms=0.9)
default_hooks = dict(checkpoint=dict(save_best='posetrack/AP'))
