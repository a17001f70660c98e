# Shared by all schedules. Position embeddings, mask tokens, biases and scale factors have no weight
# decay. A layer_decay_rate below 1 lowers the learning rate of the ViT's layers towards its input.
val_cfg = dict()
test_cfg = dict()

optim_wrapper = dict(
    constructor='STDPoseViTOptimWrapperConstructor',
    optimizer=dict(type='AdamW'),
    paramwise_cfg=dict(
        layer_decay_rate=1.0,
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys=dict(
            pos_embed=dict(decay_mult=0.0),
            frame_embed=dict(decay_mult=0.0),
            tube_token=dict(decay_mult=0.0),
            frame_token=dict(decay_mult=0.0),
        ),
    ),
    clip_grad=dict(max_norm=1.0),
)
