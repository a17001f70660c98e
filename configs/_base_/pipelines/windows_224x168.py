# Crops of 224x168 (height x width), the paper's augmentation. ViT's patches make a 14x10 grid, so
# heatmaps are four times that.
codec = dict(type='BoundedUDPHeatmap', input_size=(168, 224), heatmap_size=(40, 56), sigma=2)

train_pipeline = [
    dict(type='SeedSample'),
    dict(type='LoadWindow'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='WindowRandomFlip'),
    dict(type='RandomHalfBody'),
    dict(
        type='RandomBBoxTransform',
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
