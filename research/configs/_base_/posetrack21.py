# Options that train and test a config of PoseTrack17 on PoseTrack21.
data_options = {
    'train_dataloader.dataset.type': 'PoseTrack21WindowDataset',
    'train_dataloader.dataset.data_root': 'data/posetrack21/',
    'test_dataloader.dataset.type': 'PoseTrack21WindowDataset',
    'test_dataloader.dataset.data_root': 'data/posetrack21/',
    'test_evaluator.ann_file': 'data/posetrack21/annotations/val',
}
