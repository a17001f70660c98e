# Propagation with T = 7 on generated videos, two key frames per sample. Each frame is cropped at
# its own box, interpolated between the labels' boxes, as `stdpose propagate` does.
_base_ = 'synthetic.py'

train_pipeline = [
    *_base_.train_pipeline[:4],
    dict(
        type='WindowRandomBBoxTransform',
        shift_factor=0.04,
        shift_prob=1.0,
        scale_factor=(0.85, 1.15),
        rotate_factor=20.0,
        rotate_prob=1.0,
    ),
    *_base_.train_pipeline[5:],
]
train_dataloader = dict(
    batch_size=5,
    dataset=dict(keys_per_sample=2, crops='frame', boxes='interpolated', pipeline=train_pipeline),
)
auto_scale_lr = dict(base_batch_size=5)
val_dataloader = dict(dataset=dict(crops='frame'))
test_dataloader = dict(dataset=dict(crops='frame'))
