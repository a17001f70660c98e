# The light form whose backbone computes two fifths of the tokens of a crop after its first layer.
_base_ = 'stdpose_tiny_estimation_synthetic_light.py'

model = dict(backbone=dict(pruning=dict(after=1, keep=0.4)))
