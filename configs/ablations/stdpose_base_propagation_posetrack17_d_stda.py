# Ablation (d): TFF, TKS and STDA, without the Dynamic-Aware Mask.
_base_ = 'stdpose_base_propagation_posetrack17_e_dam.py'

model = dict(head=dict(mask=None))
