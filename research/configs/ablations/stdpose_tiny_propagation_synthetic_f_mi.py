# Ablation (f), tiny: (e) and the mutual information objective, in nats as the tiny heatmap loss
# sums over pixels.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

model = dict(
    mi_loss=dict(
        type='STDPoseMutualInformationLoss',
        num_joints=_base_.num_joints,
        feature_channels=_base_.embed_dims,
        alpha=0.1,
        beta=0.01,
        per_pixel=False,
    ),
)
