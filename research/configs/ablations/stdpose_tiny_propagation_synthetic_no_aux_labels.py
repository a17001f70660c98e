# Tiny (e) with the paper's text taken literally: the labels of the auxiliary frames are given in
# testing, but never in training. Compare it with (e), which always gives them.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

train_pipeline = [
    dict(step, aux_label_prob=0.0) if step['type'] == 'GenerateWindowTarget' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
