# The light form whose backbone computes half of the tokens of a crop after its first two layers.
_base_ = 'stdpose_tiny_estimation_synthetic_light.py'

model = dict(backbone=dict(pruning=dict(after=2, keep=0.5)))
