# The tiny STDPose beyond the paper for longer training: several channels for every joint all along
# the path at full resolution, residual blocks in it, and the loss that also compares heatmaps as
# distributions.
_base_ = '../../configs/stdpose_tiny_propagation_synthetic_appearance.py'

width = 128
heatmap_loss = dict(type='ForegroundKLLoss', divergence_weight=20.0)
model = dict(
    frame_head=dict(loss=heatmap_loss),
    neck=dict(tks=dict(channels=width, dilations=(2, 4))),
    head=dict(merged_channels=width, refine_channels=width, loss=heatmap_loss),
)
