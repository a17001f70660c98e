"""Windows of videos: datasets that list them and transforms that prepare them."""

from . import base, body, transforms

__all__ = ['base', 'body', 'transforms']
