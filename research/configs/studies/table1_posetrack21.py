# The paper's Table 1 on PoseTrack21.
_base_ = 'table1_posetrack17.py'

title = 'Pose propagation on PoseTrack21, T = 7'
entries = [
    dict(entry, config=entry['config'].replace('posetrack17', 'posetrack21'))
    for entry in _base_.entries
]
