# Ablation (d), tiny: TFF, TKS and STDA, without the Dynamic-Aware Mask and the prior map.
_base_ = '../stdpose_tiny_synthetic.py'

model = dict(neck=dict(tks=dict(use_prior=False)), head=dict(mask=None))
