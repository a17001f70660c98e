"""Training beyond the MMEngine runner: fine-tuning on a video, fuser, pseudo-labels."""

from .adaptation import AdaptedModel, adapt

__all__ = ['AdaptedModel', 'adapt']
