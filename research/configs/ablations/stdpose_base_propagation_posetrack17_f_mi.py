# Ablation (f): (e) and the mutual information objective, which is the unchanged flagship.
_base_ = '../../../configs/stdpose_base_propagation_posetrack17.py'
