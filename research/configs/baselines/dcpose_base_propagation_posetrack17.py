# A DCPose-like window model with ViT-B on PoseTrack17: the backbone, frame head, data and schedule
# of the flagship. The original's dilations (3, 6, 9, 12, 15) are for heatmaps of 96x72; for the
# heatmaps of 64x48 here, they are multiplied by two thirds.
_base_ = '../../../configs/stdpose_base_propagation_posetrack17.py'
custom_imports = dict(imports=['stdpose_mm', 'research.baselines'], allow_failed_imports=False)

model = dict(
    neck=dict(
        _delete_=True,
        type='DualConsecutive',
        num_joints=_base_.num_joints,
        dilations=(2, 4, 6, 8, 10),
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
    mi_loss=None,
)
