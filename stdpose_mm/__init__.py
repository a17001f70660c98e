"""STDPose for MMPose 1.x: pose propagation from sparse labels, and video pose estimation."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

from .version import __version__

__all__ = ['__version__']

# Subpackages whose classes a config names.
REGISTERING_SUBPACKAGES = ('codecs', 'datasets', 'engine', 'evaluation.metrics', 'models')


def _mmpose_is_usable() -> bool:
    """Whether MMPose is installed; one that cannot be imported is reported."""
    if find_spec('mmpose') is None:
        return False
    try:
        import_module('mmpose.models')
    # Broken OpenMMLab installations fail in every way: ImportError (mmcv without ops),
    # AssertionError (version ranges), RuntimeError (torchvision), ValueError (NumPy ABI).
    except Exception as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        warnings.warn(
            f'MMPose is installed but cannot be imported ({reason}): the models and datasets of '
            'stdpose_mm are not registered. `python -m stdpose_mm.env` says what is wrong.',
            RuntimeWarning,
            stacklevel=3,
        )
        return False
    return True


# MMDetection's import says that an optional metric, which nothing here uses, is not installed: a
# line on stderr beside the one line that a command's error is to be.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

# `custom_imports = dict(imports=['stdpose_mm'])` in a config must register every class, so the
# package imports the subpackages that register, and with them MMPose (some seconds). Label files
# can be converted and scored without any of it: where MMPose is not installed, `io`, `structures`
# and the evaluation functions are importable all the same; where it is broken, too, so that
# `stdpose_mm.env` can tell why. An error in the package's own code is never hidden.
if _mmpose_is_usable():
    for _name in REGISTERING_SUBPACKAGES:
        import_module(f'{__name__}.{_name}')
    import_module(f'{__name__}.mmpose_hook').install()
