# Ablation (f), tiny, with a mask that acts, and mutual information whose heatmap terms act, too, at
# the paper's weights.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam_acting.py'

model = dict(
    mi_loss=dict(
        type='MutualInformationLoss',
        num_joints=_base_.num_joints,
        feature_channels=_base_.embed_dims,
        alpha=0.1,
        beta=0.01,
        per_pixel=False,
        heatmap_gain=10.0,
    ),
)
