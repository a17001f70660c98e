"""The border of the package: label files and pictures, in and out."""

from .atomic import atomic_path, write_json
from .posetrack18 import read_posetrack18, write_posetrack18

__all__ = ['atomic_path', 'read_posetrack18', 'write_json', 'write_posetrack18']
