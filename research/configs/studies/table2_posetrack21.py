# The paper's Table 2 on PoseTrack21.
_base_ = ['table2_posetrack17.py', '../_base_/posetrack21.py']

title = 'Pose estimation on PoseTrack21'
entries = [
    dict(entry, cfg_options={**entry.get('cfg_options', {}), **_base_.data_options})
    for entry in _base_.entries
]
