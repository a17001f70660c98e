# The flagship by its short name.
_base_ = 'stdpose_base_propagation_posetrack17.py'
