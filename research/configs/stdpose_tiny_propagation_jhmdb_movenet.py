# STDPose on JHMDB clips with a backbone that knows people: MoveNet Thunder, frozen, whose ONNX file
# `python -m research.tools.export_movenet` writes. Crops of 256x192, heatmaps of 64x48, distances
# from 5 to 15 frames between labels, four key frames for each pair of labelled frames.
_base_ = 'stdpose_tiny_propagation_jhmdb.py'

embed_dims = 192
codec = dict(type='BoundedUDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
heatmap_head = dict(
    in_channels=embed_dims,
    decoder=codec,
    loss=dict(type='STDPoseForegroundKLLoss', divergence_weight=20.0),
)
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='STDPosePyramidBackbone',
        network=dict(
            type='STDPoseOnnxNetwork',
            file='weights/movenet.onnx',
            # Of the encoder at 1/4, 1/8, 1/16 and 1/32, of the decoder at 1/16, 1/8 and 1/4.
            outputs=[
                *('add_45', 'add_92', 'add_155', 'clip_270'),
                *('relu_285', 'relu_297', 'relu_315'),
            ],
        ),
        embed_dims=embed_dims,
        frozen=True,
    ),
    frame_head=heatmap_head,
    neck=dict(
        tff=dict(embed_dims=embed_dims),
        tks=dict(correlation=dict(embed_dims=embed_dims)),
    ),
    head=dict(feature_size=(16, 12), **heatmap_head),
)

of_size = dict(
    WindowTopdownAffine=dict(input_size=codec['input_size']),
    GenerateWindowTarget=dict(encoder=codec),
)
train_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **of_size.get(step['type'], {})) for step in _base_.val_pipeline]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(keys_per_sample=4, interval=list(range(5, 16)), pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
auto_scale_lr = dict(base_batch_size=4)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3, fused=True))

max_iters = 3000
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
