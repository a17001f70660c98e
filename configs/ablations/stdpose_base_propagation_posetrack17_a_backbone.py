# Ablation (a): backbone and head on each frame alone. The COCO head initialises the head.
_base_ = 'stdpose_base_propagation_posetrack17_b_tff.py'

model = dict(neck=None, head=dict(source='frame_feature'))
