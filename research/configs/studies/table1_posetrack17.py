# The paper's Table 1 on PoseTrack17. The per-frame ViT sees no labels, so it has one set of
# metrics, of all frames. research/docs/studies.md has the published values.
title = 'Pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP', 'posetrack/PCK@0.1']
reference = 'STDPose'

_like = 'research/configs/baselines/{}_base_propagation_posetrack17.py'
entries = [
    dict(
        name='per-frame ViT',
        config='research/configs/baselines/vit_base_estimation_posetrack17.py',
    ),
    dict(name='PoseWarper-like', config=_like.format('posewarper')),
    dict(name='DCPose-like', config=_like.format('dcpose')),
    dict(name='STDPose', config='configs/stdpose_base_propagation_posetrack17.py'),
    dict(
        name='STDPose, literal',
        config='configs/literal/stdpose_base_propagation_posetrack17_literal.py',
    ),
]
