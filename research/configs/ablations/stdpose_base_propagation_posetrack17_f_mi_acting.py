# Ablation (f) with the mask and the mutual information that act in the tiny model, see f_mi_acting
# there.
_base_ = '../../../configs/stdpose_base_propagation_posetrack17.py'

model = dict(
    head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)),
    mi_loss=dict(alpha=0.1, beta=0.01, heatmap_gain=10.0),
)
