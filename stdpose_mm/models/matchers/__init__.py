"""Networks that find corresponding points in two pictures."""

from .joint_matcher import JointMatcher

__all__ = ['JointMatcher']
