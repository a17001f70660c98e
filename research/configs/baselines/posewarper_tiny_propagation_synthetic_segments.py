# The PoseWarper-like window model with the backbone, frame head, data, crops and schedule of the
# tiny STDPose beyond the paper.
_base_ = 'dcpose_tiny_propagation_synthetic_segments.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='PoseWarping',
        embed_dims=_base_.embed_dims,
        num_joints=_base_.num_joints,
        dilations=(1, 2, 4, 6, 8),
    )
)
