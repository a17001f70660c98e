"""The border of the package: label files, videos and pictures, in and out."""

from .atomic import PathLike, atomic_path, write_json, write_text

__all__ = ['PathLike', 'atomic_path', 'write_json', 'write_text']
