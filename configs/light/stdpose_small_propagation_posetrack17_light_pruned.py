# The light form whose backbone computes half of the tokens of a crop after its first four layers.
_base_ = 'stdpose_small_propagation_posetrack17_light.py'

model = dict(backbone=dict(pruning=dict(after=4, keep=0.5)))
