# Ablation (e), tiny, with a form of the mask that has an effect; the paper's own form is in e_dam.
_base_ = 'stdpose_tiny_propagation_synthetic_e_dam.py'

model = dict(head=dict(mask=dict(normalization='mean', slope=10.0, threshold=0.5)))
