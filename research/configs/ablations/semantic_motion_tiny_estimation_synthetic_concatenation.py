# Ablation, tiny: spatial and motion features are concatenated in place of mutual learning.
_base_ = '../../../configs/semantic_motion_tiny_estimation_synthetic.py'

model = dict(
    head=dict(
        fusion=dict(
            _delete_=True, type='STDPoseSpatialMotionConcatenation', embed_dims=_base_.embed_dims
        )
    )
)
