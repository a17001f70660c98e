# Semantic motion encoder and spatial-motion mutual learning for pose propagation on PoseTrack17
# with T = 7. The labels of the auxiliary frames enter the encoder.
_base_ = 'semantic_motion_base_estimation_posetrack17.py'

model = dict(
    neck=dict(
        pose_embed=dict(
            type='STDPoseGivenPoseEmbedding',
            num_joints=_base_.num_joints,
            embed_dims=_base_.embed_dims,
        )
    )
)

train_dataloader = dict(dataset=dict(task='propagation', random_offset=True))
val_dataloader = dict(dataset=dict(task='propagation'))
test_dataloader = dict(dataset=dict(task='propagation', boxes='gt', bbox_file=None))

val_evaluator = dict(given_interval=_base_.interval)
test_evaluator = dict(given_interval=_base_.interval, boxes='gt', oks_nms=None)
default_hooks = dict(checkpoint=dict(save_best='posetrack/AP_all'))
