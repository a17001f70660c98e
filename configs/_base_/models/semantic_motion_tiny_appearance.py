# The tiny second system with parts beyond the paper that make short training of propagation more
# effective: heatmaps of all frames, which given labels replace, joints compared by appearance
# between the frames, a path at full resolution, a motion feature that starts as the key frame's,
# upsampling layers with fewer channels.
_base_ = 'semantic_motion_tiny.py'

heatmap_head = dict(deconv_out_channels=(64, 32))
model = dict(
    frame_head=dict(type='STDPoseFrameHead', **{**_base_.heatmap_head, **heatmap_head}),
    frame_head_loss_weight=1.0,
    neck=dict(
        residual=True,
        tube_ratio=0.0,
        masked_frames=0,
        context_decoder=None,
        pose_decoder=None,
        tks=dict(
            type='STDPoseAppearanceKeypointsSynthesis',
            num_joints=_base_.num_joints,
            correlation=dict(type='STDPoseAppearanceCorrelation', embed_dims=_base_.embed_dims),
            use_prior=True,
        ),
    ),
    head=dict(merged_channels=48, fusion=dict(num_blocks=1), **heatmap_head),
)
