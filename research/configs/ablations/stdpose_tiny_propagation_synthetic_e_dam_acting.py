# Ablation (e), tiny, with the form of the mask that acts; the paper's own is in e_dam.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

model = dict(head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)))
