# The paper's Table 1 on PoseTrack18. The -like models have the published values of the
# originals. The per-frame ViT sees no labels, so it has one set of metrics, of all frames.
title = 'Pose propagation on PoseTrack18, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = 'STDPose'

entries = [
    dict(name='SimpleBaseline', published=73.4),
    dict(
        name='per-frame ViT',
        config='research/configs/baselines/vit_base_estimation_posetrack18.py',
    ),
    dict(
        name='PoseWarper-like',
        config='research/configs/baselines/posewarper_base_propagation_posetrack18.py',
        published=83.7,
    ),
    dict(
        name='DCPose-like',
        config='research/configs/baselines/dcpose_base_propagation_posetrack18.py',
        published=85.0,
    ),
    dict(name='STDPose', config='configs/stdpose_base_propagation_posetrack18.py'),
    dict(
        name='STDPose, literal',
        config='configs/literal/stdpose_base_propagation_posetrack18_literal.py',
        published=88.0,
    ),
]
