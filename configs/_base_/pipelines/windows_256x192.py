# Crops of 256x192 (height x width), heatmaps a quarter of that; the paper's augmentation.
codec = dict(type='BoundedUDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)

train_pipeline = [
    dict(type='STDPoseSeedSample'),
    dict(type='LoadWindow'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='WindowRandomFlip'),
    dict(type='WindowRandomHalfBody'),
    dict(
        type='WindowRandomBBoxTransform',
        shift_prob=0.0,
        scale_factor=(0.65, 1.35),
        rotate_factor=45.0,
    ),
    dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateWindowTarget', encoder=codec, label_jitter=0.3, label_dropout=0.05),
    dict(type='PackWindowInputs'),
]
val_pipeline = [
    dict(type='LoadWindow'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='WindowTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='GenerateWindowTarget', encoder=codec, test_mode=True),
    dict(type='PackWindowInputs'),
]
