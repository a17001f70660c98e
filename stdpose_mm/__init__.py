"""STDPose for MMPose 1.x: pose propagation from sparse labels, and video pose estimation.

Importing the package imports neither PyTorch nor MMPose, even if they are installed. Nevertheless
``custom_imports = dict(imports=['stdpose_mm'])`` in a config lets MMPose find every class.
"""

from __future__ import annotations

import os

from .mmpose_patches import install
from .version import __version__

__all__ = ['__version__']

# onnxruntime reads this at its import; without it, it reports its use over the network.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')

install()
