# The paper's Table 2 on PoseTrack21.
_base_ = 'table2_posetrack17.py'

title = 'Pose estimation on PoseTrack21'
entries = [
    dict(entry, config=entry['config'].replace('posetrack17', 'posetrack21'))
    for entry in _base_.entries
]
