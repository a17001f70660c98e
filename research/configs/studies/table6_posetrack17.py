# The paper's Table 6: input sizes.
title = 'Input sizes, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP']
reference = '256x192'

entries = [
    dict(name='DCPose, 384x288', published=87.7),
    dict(
        name='224x168',
        config='configs/sizes/stdpose_base_propagation_posetrack17_224x168.py',
        published=90.6,
    ),
    dict(name='256x192', config='configs/stdpose_base_propagation_posetrack17.py', published=90.9),
    dict(
        name='384x288',
        config='configs/sizes/stdpose_base_propagation_posetrack17_384x288.py',
        published=91.7,
    ),
]
