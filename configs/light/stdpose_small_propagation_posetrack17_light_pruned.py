# The light form; after three layers, its backbone computes only two fifths of the tokens of a crop.
_base_ = 'stdpose_small_propagation_posetrack17_light.py'

model = dict(backbone=dict(pruning=dict(after=3, keep=0.4)))
