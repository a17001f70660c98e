# Ablation (d): TFF, TKS and STDA, without the Dynamic-Aware Mask.
_base_ = '../stdpose_vit_posetrack17.py'

model = dict(head=dict(mask=None), mi_loss=None)
