"""Sources of heatmaps of people: pose networks of other projects, and poses or tracks that another
program has estimated.
"""

from .load_pose_network import PoseNetworkFiles, load_pose_network
from .pose_network import HeatmapSource, PersonCrop, PoseHeatmaps, PoseNetwork
