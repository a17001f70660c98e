# Table 6 as in the paper, with crops of 384x288.
_base_ = 'stdpose_base_propagation_posetrack17_literal.py'

codec = dict(
    type='BoundedUDPHeatmap',
    input_size=(288, 384),
    heatmap_size=(72, 96),
    sigma=3,
    blur_kernel_size=17,
)
model = dict(
    backbone=dict(img_size=(384, 288)),
    frame_head=dict(decoder=codec),
    head=dict(
        feature_size=(24, 18),
        decoder=codec,
        loss=dict(loss_weight=96.0 * 72.0),
    ),
)
of_size = dict(
    WindowTopdownAffine=dict(input_size=codec['input_size']),
    GenerateWindowTarget=dict(encoder=codec),
)
train_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.val_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
