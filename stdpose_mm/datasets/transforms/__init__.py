"""From the list of a window's frames to the packed sample, in the order of a pipeline."""

from .generate_window_target import GenerateWindowTarget
from .load_window import LoadWindow
from .pack_window_inputs import PackWindowInputs
from .window_degradation import WindowDegradation
from .window_photometric import WindowPhotometric
from .window_random_bbox_transform import WindowRandomBBoxTransform
from .window_random_flip import WindowRandomFlip
from .window_random_half_body import WindowRandomHalfBody
from .window_topdown_affine import WindowTopdownAffine

__all__ = [
    'GenerateWindowTarget',
    'LoadWindow',
    'PackWindowInputs',
    'WindowDegradation',
    'WindowPhotometric',
    'WindowRandomBBoxTransform',
    'WindowRandomFlip',
    'WindowRandomHalfBody',
    'WindowTopdownAffine',
]
