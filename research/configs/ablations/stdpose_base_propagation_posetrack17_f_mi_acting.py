# Ablation (f) with the forms of the mask and of the mutual information that have an effect in the
# tiny model, see its f_mi_acting.
_base_ = '../../../configs/stdpose_base_propagation_posetrack17.py'

model = dict(
    head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)),
    mi_loss=dict(alpha=0.1, beta=0.01, heatmap_gain=10.0),
)
