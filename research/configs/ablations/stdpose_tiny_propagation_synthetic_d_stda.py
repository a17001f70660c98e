# Ablation (d), tiny: TFF, TKS and STDA, without the Dynamic-Aware Mask and the prior map.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

model = dict(head=dict(mask=None))
