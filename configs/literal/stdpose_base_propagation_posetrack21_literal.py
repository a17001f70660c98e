# STDPose as in the paper, on PoseTrack21 with T = 7.
_base_ = 'stdpose_base_propagation_posetrack17_literal.py'

dataset = dict(type='PoseTrack21WindowDataset', data_root='data/posetrack21/')
train_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

test_evaluator = dict(ann_file='data/posetrack21/annotations/val')
