"""Networks that weigh the evidence of a whole gap."""

from .gap_fuser import FusedGaps, GapFuser

__all__ = ['FusedGaps', 'GapFuser']
