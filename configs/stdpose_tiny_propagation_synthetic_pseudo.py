# The tiny STDPose trained on labels of every 7th frame and on propagated labels between them; see
# docs/guide/pseudo_labels.md for the command that writes data/synthetic/pseudo.
_base_ = 'stdpose_tiny_propagation_synthetic.py'

train_dataloader = dict(
    dataset=dict(ann_file='pseudo/annotations', propagated_weight=0.5, propagated_min_score=0.5)
)
