# The tiny STDPose beyond the paper for longer training: the path at full resolution has several
# channels per joint and residual blocks, and the loss also compares heatmaps as distributions.
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance.py'

width = 128
heatmap_loss = dict(type='STDPoseForegroundKLLoss', divergence_weight=20.0)
model = dict(
    frame_head=dict(loss=heatmap_loss),
    neck=dict(tks=dict(channels=width, dilations=(2, 4))),
    head=dict(merged_channels=width, refine_channels=width, loss=heatmap_loss),
)
