# Options that train and test a config of PoseTrack17 on PoseTrack18.
data_options = {
    'train_dataloader.dataset.type': 'PoseTrack18WindowDataset',
    'train_dataloader.dataset.data_root': 'data/posetrack18/',
    'test_dataloader.dataset.type': 'PoseTrack18WindowDataset',
    'test_dataloader.dataset.data_root': 'data/posetrack18/',
    'test_evaluator.ann_file': 'data/posetrack18/annotations/val',
}
