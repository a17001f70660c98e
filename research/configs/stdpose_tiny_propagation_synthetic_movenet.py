# The tiny STDPose that starts from MoveNet on many generated clips, at distances from 5 to 15
# frames between labels: does the start alone make a better network for `auto`?
#   python tools/dataset_converters/make_synthetic_posetrack.py data/many_clips \
#       --train-videos 500 --val-videos 20 --people 1 3 --footage mixed --seed 3000
_base_ = 'stdpose_tiny_propagation_synthetic_many_clips.py'

load_from = None
embed_dims = 192
heatmap_head = dict(in_channels=embed_dims)
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='PyramidBackbone',
        network=dict(
            type='OnnxNetwork',
            file='weights/movenet.onnx',
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
    head=heatmap_head,
)
train_dataloader = dict(batch_size=4, dataset=dict(interval=list(range(5, 16)), keys_per_sample=4))
auto_scale_lr = dict(base_batch_size=4)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))

max_iters = 2500
train_cfg = dict(max_iters=max_iters)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters, T_max=max_iters - 60),
]
