# Ablation: spatial and motion feature are concatenated instead of mutual learning.
_base_ = '../semantic_motion_base_estimation_posetrack17.py'

model = dict(
    head=dict(
        fusion=dict(
            _delete_=True, type='STDPoseSpatialMotionConcatenation', embed_dims=_base_.embed_dims
        )
    )
)
