# STDPose as in the paper for pose estimation, from neighbouring frames and without given labels.
# Tested with detected boxes; docs/guide/data.md says how to detect people.
_base_ = 'stdpose_base_propagation_posetrack18_literal.py'

train_dataloader = dict(dataset=dict(task='estimation'))
test_dataloader = dict(
    dataset=dict(task='estimation', boxes='detected', bbox_file='detections/val.json')
)

test_evaluator = dict(given_interval=None, boxes='detected', oks_nms=0.9)
