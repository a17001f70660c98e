# The small form of the lower half of Table 4.
_base_ = 'table4_intervals_posetrack17.py'

title = 'Time interval T, pose propagation on generated clips'
entries = [dict(name='STDPose', config='configs/stdpose_tiny_propagation_synthetic.py')]
