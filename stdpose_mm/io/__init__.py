"""Reading and writing of label files, videos and pictures."""

from .disk.atomic import PathLike, atomic_path, write_json, write_text

__all__ = ['PathLike', 'atomic_path', 'write_json', 'write_text']
