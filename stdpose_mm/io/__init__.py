"""Reading and writing of label files, videos and pictures."""

from .atomic import PathLike, atomic_path, write_json, write_text

__all__ = ['PathLike', 'atomic_path', 'write_json', 'write_text']
