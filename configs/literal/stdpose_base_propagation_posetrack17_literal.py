# STDPose as in the paper, on PoseTrack17 with T = 7. The table "Fidelity to the paper" in
# docs/reference/method.md compares it with the flagship, from which it takes all other settings. No
# training video is held out, so nothing is validated: test the last checkpoint.
_base_ = '../stdpose_base_propagation_posetrack17.py'

model = dict(
    backbone=dict(drop_path_rate=0.0),
    frame_head_loss_weight=0.0,
    head=dict(
        # Eq. 4 sums over the 64x48 pixels of a map; the mean of KeypointMSELoss is undone.
        loss=dict(loss_weight=64.0 * 48.0),
        mask=dict(normalization='softmax', slope=1.5, threshold=0.5),
    ),
    mi_loss=dict(estimator='literal', per_pixel=False),
)

train_pipeline = [
    dict(step, aux_label_prob=0.0, label_jitter=0.0, label_dropout=0.0)
    if step['type'] == 'GenerateWindowTarget'
    else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(
    dataset=dict(crops='window', random_offset=False, held_out_share=0.0, pipeline=train_pipeline)
)
test_dataloader = dict(dataset=dict(crops='window'))
val_cfg = val_dataloader = val_evaluator = None
default_hooks = dict(checkpoint=dict(save_best=None))

optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-4))
param_scheduler = _base_.param_scheduler[1:]
