# The small form of Table 5: ablation (e), tiny, on generated clips, with the form of the mask that
# has an effect: with the paper's own form, k and theta change next to nothing.
_base_ = 'table5_posetrack17.py'

title = 'k and theta of the dynamic-aware mask, pose propagation on generated clips, T = 7'
metrics = ['posetrack/PCK@0.1', 'posetrack/AP_all', 'posetrack/AP']
_config = 'research/configs/ablations/stdpose_tiny_propagation_synthetic_e_dam_acting.py'
entries = [dict(entry, config=_config) for entry in _base_.entries]
