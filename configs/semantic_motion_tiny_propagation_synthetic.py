# The second system, tiny, pose propagation on generated videos: it takes labels. Their heatmaps,
# and that of the pose interpolated between them, are embedded into the tokens of their frames.
_base_ = 'semantic_motion_tiny_synthetic.py'

model = dict(
    neck=dict(
        pose_embed=dict(
            type='GivenPoseEmbedding',
            num_joints=_base_.num_joints,
            embed_dims=_base_.embed_dims,
            use_prior=True,
        )
    )
)

train_dataloader = dict(dataset=dict(task='propagation', random_offset=True))
val_dataloader = dict(dataset=dict(task='propagation', boxes='interpolated'))
test_dataloader = val_dataloader

val_evaluator = dict(given_interval=_base_.interval, boxes='interpolated')
test_evaluator = val_evaluator
