"""Training beyond the MMEngine runner: fine-tuning on a video, fuser, pseudo-labels."""

from .adaptation import AdaptationPlan, AdaptedModel, adapt

__all__ = ['AdaptationPlan', 'AdaptedModel', 'adapt']
