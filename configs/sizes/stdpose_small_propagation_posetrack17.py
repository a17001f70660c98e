# The flagship with ViT-S instead of ViT-B.
_base_ = '../stdpose_base_propagation_posetrack17.py'

embed_dims = 384
num_heads = 12
model = dict(
    backbone=dict(arch='small', drop_path_rate=0.1),
    frame_head=dict(in_channels=embed_dims),
    neck=dict(tff=dict(embed_dims=embed_dims, num_heads=num_heads)),
    head=dict(in_channels=embed_dims, num_heads=num_heads),
    mi_loss=dict(feature_channels=embed_dims),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.8))
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-small_8xb64-210e_coco-256x192-62d7a712_20230314.pth'
)
