"""Networks that weigh the evidence of a whole segment."""

from .segment_fuser import FusedSegments, SegmentFuser

__all__ = ['FusedSegments', 'SegmentFuser']
