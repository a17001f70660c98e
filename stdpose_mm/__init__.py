"""STDPose for MMPose 1.x: pose propagation from sparse labels, and video pose estimation.

Importing the package imports neither PyTorch nor MMPose, even if they are installed. Nevertheless
``custom_imports = dict(imports=['stdpose_mm'])`` in a config lets MMPose find every class.
"""

from __future__ import annotations

import os
import warnings

from .mmpose_patches import install
from .version import __version__

__all__ = ['__version__']

# MMDetection warns at import that an optional metric is not installed. Nothing here uses it, and
# the warning would be a second line on stderr beside the one line of a command's error.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

# onnxruntime reads this at its import; without it, it reports its use over the network.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')

install()
