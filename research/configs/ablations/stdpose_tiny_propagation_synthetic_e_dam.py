# Ablation (e), tiny: (d) and the Dynamic-Aware Mask. This is the tiny base without the prior map:
# with that map the model leans on it, which would hide what the paper's own parts do.
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic.py'

model = dict(neck=dict(tks=dict(use_prior=False)))
