"""Video windows: the datasets that list them and the transforms that prepare them."""

from . import base, body, transforms

__all__ = ['base', 'body', 'transforms']
