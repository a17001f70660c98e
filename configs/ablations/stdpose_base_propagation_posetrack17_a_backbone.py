# Ablation (a): backbone and head; every frame by itself. The COCO head starts the head.
_base_ = 'stdpose_base_propagation_posetrack17_b_tff.py'

model = dict(neck=None, head=dict(source='frame_feature'))
