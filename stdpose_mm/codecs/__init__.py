"""The heatmap codec."""

from .bounded_udp_heatmap import BoundedUDPHeatmap

__all__ = ['BoundedUDPHeatmap']
