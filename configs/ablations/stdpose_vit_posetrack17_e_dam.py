# Ablation (e): (d) and the Dynamic-Aware Mask, without the mutual information objective.
_base_ = '../stdpose_vit_posetrack17.py'

model = dict(mi_loss=None)
