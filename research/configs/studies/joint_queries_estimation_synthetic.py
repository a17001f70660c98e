# Joint queries in pose estimation, in windows of three and of five frames: tiny models on generated
# clips, with the boxes of the labels, tested on the unchanged clips and with every key frame
# blurred or covered.
_base_ = 'table2_synthetic.py'

title = 'Joint queries, pose estimation on generated clips'
reference = 'three frames'
cfg_options = {'custom_imports': dict(imports=['stdpose_mm', 'research.joint_queries'])}

_three = 'configs/stdpose_tiny_estimation_synthetic.py'
_five = 'research/configs/stdpose_tiny_estimation_synthetic_five_frames.py'
_queries = dict(type='JointQuerySTRE', queries=dict(num_joints=17, embed_dims=128, num_heads=4))
_beside, _for_tff = {'model.neck': _queries}, {'model.neck': dict(_queries, tff=None)}

entries = [
    dict(name='three frames', config=_three),
    dict(name='three frames, queries', config=_three, cfg_options=_beside),
    dict(name='three frames, queries for TFF', config=_three, cfg_options=_for_tff),
    dict(name='five frames', config=_five),
    dict(name='five frames, queries', config=_five, cfg_options=_beside),
]
