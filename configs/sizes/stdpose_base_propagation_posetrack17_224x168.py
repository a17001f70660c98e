# The flagship with crops of 224x168: 14x10 patches, hence heatmaps of 56x40. The position embedding
# of the 256x192 weights is resized.
_base_ = '../stdpose_base_propagation_posetrack17.py'

codec = dict(type='BoundedUDPHeatmap', input_size=(168, 224), heatmap_size=(40, 56), sigma=2)
model = dict(
    backbone=dict(img_size=(224, 168)),
    frame_head=dict(decoder=codec),
    head=dict(feature_size=(14, 10), decoder=codec),
)
of_size = dict(
    WindowTopdownAffine=dict(input_size=codec['input_size']),
    GenerateWindowTarget=dict(encoder=codec),
)
train_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.val_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
