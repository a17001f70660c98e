# Only the backbone and a heatmap head, each frame alone, with the data and schedule of the STDPose
# that starts from MoveNet.
_base_ = '../stdpose_tiny_propagation_jhmdb_movenet_128x96.py'

frame_head = {**_base_.model.frame_head, 'decoder': _base_.codec}
model = dict(
    neck=None,
    frame_head=None,
    frame_head_loss_weight=0.0,
    head=dict(frame_head, _delete_=True, type='STDPoseSingleSourceHead', source='frame_feature'),
)
