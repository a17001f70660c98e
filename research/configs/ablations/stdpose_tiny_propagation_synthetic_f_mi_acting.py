# Ablation (f), tiny, with a mask that has an effect, and mutual information whose heatmap terms
# have one, too, at the paper's weights.
_base_ = 'stdpose_tiny_propagation_synthetic_f_mi.py'

model = dict(
    head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)),
    mi_loss=dict(heatmap_gain=10.0),
)
