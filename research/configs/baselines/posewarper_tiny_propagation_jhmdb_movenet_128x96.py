# The PoseWarper-like window model with the backbone, frame head, data and schedule of the STDPose
# that starts from MoveNet. Its heatmaps are a third of the original's, and so are the dilations (3,
# 6, 12, 18, 24).
_base_ = 'dcpose_tiny_propagation_jhmdb_movenet_128x96.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='PoseWarping',
        embed_dims=_base_.embed_dims,
        num_joints=_base_.num_joints,
        dilations=(1, 2, 4, 6, 8),
    )
)
