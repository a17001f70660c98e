# The DCPose-like window model with the backbone, frame head, data, crops and schedule of the tiny
# STDPose beyond the paper.
_base_ = '../../../configs/stdpose_tiny_propagation_synthetic_appearance.py'
custom_imports = dict(imports=['stdpose_mm', 'research.baselines'], allow_failed_imports=False)

model = dict(
    neck=dict(
        _delete_=True,
        type='DualConsecutive',
        num_joints=_base_.num_joints,
        dilations=(1, 2, 3, 4, 5),
    ),
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='merged_heatmaps',
        in_channels=_base_.num_joints,
        out_channels=_base_.num_joints,
        deconv_out_channels=None,
        final_layer=None,
        loss=_base_.heatmap_head.loss,
        decoder=_base_.codec,
    ),
)
