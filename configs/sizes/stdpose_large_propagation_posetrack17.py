# The flagship with ViT-L instead of ViT-B.
_base_ = '../stdpose_base_propagation_posetrack17.py'

embed_dims = 1024
num_heads = 16
model = dict(
    backbone=dict(arch='large', drop_path_rate=0.5),
    frame_head=dict(in_channels=embed_dims),
    neck=dict(tff=dict(embed_dims=embed_dims, num_heads=num_heads)),
    head=dict(in_channels=embed_dims, num_heads=num_heads),
    mi_loss=dict(feature_channels=embed_dims),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.8))
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-large_8xb64-210e_coco-256x192-53609f55_20230314.pth'
)
