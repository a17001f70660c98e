# The paper's Table 1 on PoseTrack18.
_base_ = ['table1_posetrack17.py', '../_base_/posetrack18.py']

title = 'Pose propagation on PoseTrack18, T = 7'
entries = [
    dict(entry, cfg_options={**entry.get('cfg_options', {}), **_base_.data_options})
    for entry in _base_.entries
]
