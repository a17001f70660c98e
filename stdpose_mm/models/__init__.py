"""Models: from normalised windows of crops to poses. Importing this package registers them."""

from . import backbones, data_preprocessors, heads, losses, necks, pose_estimators

__all__ = ['backbones', 'data_preprocessors', 'heads', 'losses', 'necks', 'pose_estimators']
