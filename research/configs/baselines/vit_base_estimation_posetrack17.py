# ViT-B and a heatmap head on PoseTrack17, each frame alone: ablation (a) of the flagship.
_base_ = '../../../configs/ablations/stdpose_base_estimation_posetrack17_a_backbone.py'
