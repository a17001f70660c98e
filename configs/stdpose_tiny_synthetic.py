# The recommended tiny setting by its short name.
_base_ = 'stdpose_tiny_propagation_synthetic_appearance_kl.py'
