# The paper's Table 2 on PoseTrack18.
_base_ = 'table2_posetrack17.py'

title = 'Pose estimation on PoseTrack18'
entries = [
    dict(entry, config=entry['config'].replace('posetrack17', 'posetrack18'))
    for entry in _base_.entries
]
