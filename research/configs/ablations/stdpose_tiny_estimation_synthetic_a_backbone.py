# Tiny, pose estimation: backbone and head; each frame is processed alone.
_base_ = '../../../configs/stdpose_tiny_estimation_synthetic.py'

model = dict(
    frame_head=None,
    frame_head_loss_weight=0.0,
    neck=None,
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='frame_feature',
        decoder=_base_.codec,
        **_base_.heatmap_head,
    ),
)
