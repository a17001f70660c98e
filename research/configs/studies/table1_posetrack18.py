# The paper's Table 1 on PoseTrack18.
_base_ = 'table1_posetrack17.py'

title = 'Pose propagation on PoseTrack18, T = 7'
entries = [
    dict(entry, config=entry['config'].replace('posetrack17', 'posetrack18'))
    for entry in _base_.entries
]
