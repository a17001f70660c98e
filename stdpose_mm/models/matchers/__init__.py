"""Networks that find in one picture what another one shows."""

from .joint_matcher import JointMatcher

__all__ = ['JointMatcher']
