# A PoseWarper-like window model with ViT-B on PoseTrack17: the backbone, frame head, data and
# schedule of the flagship. The original's dilations (3, 6, 12, 18, 24) are for heatmaps of 96x72;
# for the heatmaps of 64x48 here, they are multiplied by two thirds. The neck's maps are the final
# ones, as in the DCPose-like model.
_base_ = 'dcpose_base_propagation_posetrack17.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='PoseWarping',
        embed_dims=_base_.embed_dims,
        num_joints=_base_.num_joints,
        dilations=(2, 4, 8, 12, 16),
    )
)
