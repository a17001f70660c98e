# Table 5 with the paper's own form of the mask, in which k and theta change next to nothing.
_base_ = 'table5_posetrack17.py'

_config = 'configs/literal/stdpose_base_propagation_posetrack17_literal.py'
entries = [dict(entry, config=_config) for entry in _base_.entries]
