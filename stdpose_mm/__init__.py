"""STDPose for MMPose 1.x: pose propagation from sparse labels, and video pose estimation.

Importing the package imports neither PyTorch nor MMPose, even where they are installed, and yet
``custom_imports = dict(imports=['stdpose_mm'])`` in a config lets MMPose find every class.
"""

from __future__ import annotations

import os
import warnings

from .mmpose_patches import install
from .version import __version__

__all__ = ['__version__']

# MMDetection's import says that an optional metric, which nothing here uses, is not installed: a
# line on stderr beside the one line of a command's error.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

# Without this, which it reads at its import, onnxruntime reports its use over the network.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')

install()
