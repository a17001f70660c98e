"""The border of the package: label files, videos and pictures, in and out."""

from .atomic import atomic_path, write_json, write_text

__all__ = ['atomic_path', 'write_json', 'write_text']
