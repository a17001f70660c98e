# Ablation (a), tiny: backbone and head on each frame alone, trained and tested on all frames
# without labels, and therefore with true boxes.
_base_ = 'stdpose_tiny_propagation_synthetic_b_tff.py'

model = dict(neck=None, head=dict(source='frame_feature'))
train_dataloader = dict(dataset=dict(task='estimation', random_offset=False))
val_dataloader = dict(dataset=dict(task='estimation', boxes='gt'))
test_dataloader = dict(dataset=dict(task='estimation', boxes='gt'))
val_evaluator = dict(given_interval=None, boxes='gt')
test_evaluator = dict(given_interval=None, boxes='gt')
