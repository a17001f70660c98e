# Ablation (a), tiny: backbone and head; every frame by itself.
_base_ = 'stdpose_tiny_propagation_synthetic_b_tff.py'

model = dict(neck=None, head=dict(source='frame_feature'))
