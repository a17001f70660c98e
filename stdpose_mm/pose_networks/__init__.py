"""Pose networks of other projects, each from its files: heatmaps of people in single pictures."""

from .load_pose_network import PoseNetworkFiles, load_pose_network
from .pose_network import PoseHeatmaps, PoseNetwork

__all__ = ['PoseHeatmaps', 'PoseNetwork', 'PoseNetworkFiles', 'load_pose_network']
