# Ablation (c): backbone, frame head and TKS. The merged heatmaps need no upsampling; a 1x1
# convolution turns them into the final heatmaps.
_base_ = 'stdpose_base_propagation_posetrack17_e_dam.py'

num_joints = _base_.num_joints
model = dict(
    neck=dict(tff=None),
    head=dict(
        _delete_=True,
        type='STDPoseSingleSourceHead',
        source='merged_heatmaps',
        in_channels=num_joints,
        out_channels=num_joints,
        deconv_out_channels=None,
        loss=_base_.heatmap_head.loss,
        decoder=_base_.codec,
    ),
)
