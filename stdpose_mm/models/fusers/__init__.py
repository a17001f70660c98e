"""Networks that combine the evidence of a whole gap between given labels."""

from .gap_fuser import FusedGaps, GapFuser

__all__ = ['FusedGaps', 'GapFuser']
