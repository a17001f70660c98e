"""Joint queries: a neck in which one token per joint reads the auxiliary frames.

Configs name this package in ``custom_imports`` to register the neck.
"""

from .joint_query_stre import JointQuerySTRE

__all__ = ['JointQuerySTRE']
