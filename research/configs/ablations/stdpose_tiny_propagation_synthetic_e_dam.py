# Ablation (e), tiny: (d) and the Dynamic-Aware Mask. This is the tiny base without the prior map,
# on which the model would rely so much that the effect of the paper's own parts could not be seen.
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic.py'

model = dict(neck=dict(tks=dict(use_prior=False)))
