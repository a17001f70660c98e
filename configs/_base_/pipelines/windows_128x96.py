# Crops of 128x96 (height x width), heatmaps of 32x24: for training in minutes on a CPU.
codec = dict(
    type='BoundedUDPHeatmap',
    input_size=(96, 128),
    heatmap_size=(24, 32),
    sigma=4 / 3,
    blur_kernel_size=5,
)

train_pipeline = [
    dict(type='STDPoseSeedSample'),
    dict(type='LoadWindow'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='WindowRandomFlip'),
    dict(
        type='WindowRandomBBoxTransform',
        shift_factor=0.04,
        shift_prob=1.0,
        scale_factor=(0.75, 1.25),
        rotate_factor=30.0,
        rotate_prob=1.0,
    ),
    dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='WindowPhotometric'),
    dict(type='GenerateWindowTarget', encoder=codec, label_jitter=0.26, label_dropout=0.05),
    dict(type='PackWindowInputs'),
]
val_pipeline = [
    dict(type='LoadWindow'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateWindowTarget', encoder=codec, test_mode=True),
    dict(type='PackWindowInputs'),
]
