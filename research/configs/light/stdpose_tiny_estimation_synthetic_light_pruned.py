# The light form with a backbone that keeps two fifths of a crop's tokens after its first layer.
_base_ = 'stdpose_tiny_estimation_synthetic_light.py'

model = dict(backbone=dict(pruning=dict(after=1, keep=0.4)))
