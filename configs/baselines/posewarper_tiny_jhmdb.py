# The tiny PoseWarper-like model of posewarper_tiny_synthetic.py on JHMDB clips, trained as
# stdpose_tiny_jhmdb.py says.
_base_ = '../stdpose_tiny_jhmdb.py'

model = dict(
    neck=dict(
        _delete_=True,
        type='PoseWarping',
        embed_dims=_base_.embed_dims,
        num_joints=_base_.num_joints,
        dilations=(1, 2, 4, 6, 8),
    ),
    head=dict(
        _delete_=True,
        type='SingleSourceHead',
        source='merged_heatmaps',
        in_channels=_base_.num_joints,
        out_channels=_base_.num_joints,
        deconv_out_channels=None,
        final_layer=None,
        loss=_base_.heatmap_head.loss,
        decoder=_base_.codec,
    ),
)
