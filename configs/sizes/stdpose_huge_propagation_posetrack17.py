# The flagship with ViT-H instead of ViT-B. To save memory, the backward pass recomputes the blocks
# of the backbone and of TFF.
_base_ = '../stdpose_base_propagation_posetrack17.py'

embed_dims = 1280
num_heads = 16
model = dict(
    backbone=dict(arch='huge', drop_path_rate=0.55, with_cp=True),
    frame_head=dict(in_channels=embed_dims),
    neck=dict(tff=dict(embed_dims=embed_dims, num_heads=num_heads, with_cp=True)),
    head=dict(in_channels=embed_dims, num_heads=num_heads),
    mi_loss=dict(feature_channels=embed_dims),
)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.85))
load_from = (
    'https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_ViTPose-huge_8xb64-210e_coco-256x192-e32adcd4_20230314.pth'
)
