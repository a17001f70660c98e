# The paper's Table 6: input sizes.
title = 'Input sizes, pose propagation on PoseTrack17, T = 7'
metrics = ['posetrack/AP_all', 'posetrack/AP']
reference = '256x192'

_sized = 'configs/sizes/stdpose_base_propagation_posetrack17'
_literal = 'configs/literal/stdpose_base_propagation_posetrack17_literal'
entries = [
    dict(name='224x168', config=f'{_sized}_224x168.py'),
    dict(name='256x192', config='configs/stdpose_base_propagation_posetrack17.py'),
    dict(name='384x288', config=f'{_sized}_384x288.py'),
    dict(name='224x168, literal', config=f'{_literal}_224x168.py'),
    dict(name='256x192, literal', config=f'{_literal}.py'),
    dict(name='384x288, literal', config=f'{_literal}_384x288.py'),
]
