# The tiny STDPose with parts beyond the paper that make short training more effective: joints are
# compared by appearance between the frames, F~ starts as F_t and knows the time of each frame, a
# path at full resolution, upsampling layers with fewer channels, and the mask that has an effect.
_base_ = 'stdpose_tiny.py'

heatmap_head = dict(deconv_out_channels=(64, 32))
model = dict(
    frame_head=dict(**heatmap_head),
    neck=dict(
        tff=dict(num_blocks=1, relative_time=True, residual=True),
        tks=dict(
            _delete_=True,
            type='STDPoseAppearanceKeypointsSynthesis',
            num_joints=_base_.num_joints,
            correlation=dict(type='STDPoseAppearanceCorrelation', embed_dims=_base_.embed_dims),
            use_prior=True,
        ),
    ),
    head=dict(
        num_blocks=1,
        merged_channels=48,
        mask=dict(normalization='mean', slope=10, threshold=0.2),
        **heatmap_head,
    ),
)
