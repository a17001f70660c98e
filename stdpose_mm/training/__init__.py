"""Training beyond the MMEngine runner: fine-tuning on a video, pseudo-labels."""

from .adaptation import AdaptedModel, adapt

__all__ = ['AdaptedModel', 'adapt']
