# Ablation (e) with the form of the mask that has an effect in the tiny model; the paper's own form
# is in e_dam.
_base_ = '../../../configs/ablations/stdpose_base_propagation_posetrack17_e_dam.py'

model = dict(head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)))
