# Table 6 as in the paper, with crops of 224x168.
_base_ = 'stdpose_base_propagation_posetrack17_literal.py'

codec = dict(type='BoundedUDPHeatmap', input_size=(168, 224), heatmap_size=(40, 56), sigma=2)
model = dict(
    backbone=dict(img_size=(224, 168)),
    frame_head=dict(decoder=codec),
    head=dict(
        feature_size=(14, 10),
        decoder=codec,
        loss=dict(loss_weight=56.0 * 40.0),
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
