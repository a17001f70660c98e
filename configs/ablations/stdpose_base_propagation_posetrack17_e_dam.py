# Ablation (e): (d) and the Dynamic-Aware Mask, without the mutual information objective.
_base_ = '../stdpose_base_propagation_posetrack17.py'

model = dict(mi_loss=None)
