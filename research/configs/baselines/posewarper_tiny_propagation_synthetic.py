# A PoseWarper-like window model, tiny: the backbone, frame head, data and schedule of the tiny
# STDPose. Its heatmaps are a third of the original's, and so are the dilations (3, 6, 12, 18, 24).
# The neck's maps are the final ones, as in the DCPose-like model.
_base_ = 'dcpose_tiny_propagation_synthetic.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='PoseWarping',
        embed_dims=_base_.embed_dims,
        num_joints=_base_.num_joints,
        dilations=(1, 2, 4, 6, 8),
    )
)
