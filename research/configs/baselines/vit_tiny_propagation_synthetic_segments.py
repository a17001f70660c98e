# Only the ViT, each frame alone, with the data, crops and schedule of the tiny STDPose beyond the
# paper.
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic_appearance.py'

model = dict(
    neck=None,
    frame_head=None,
    frame_head_loss_weight=0.0,
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='frame_feature',
        **_base_.heatmap_head,
        decoder=_base_.codec,
    ),
)
