# Ablation (a), tiny: backbone and head; each frame is processed alone.
_base_ = 'stdpose_tiny_propagation_synthetic_b_tff.py'

model = dict(neck=None, head=dict(source='frame_feature'))
