# The light form whose backbone computes two fifths of the tokens of a crop after three layers.
_base_ = 'stdpose_base_propagation_posetrack17_light.py'

model = dict(backbone=dict(pruning=dict(after=3, keep=0.4)))
