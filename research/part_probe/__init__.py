"""Probe of a window model: which of its parts have an effect, and which losses train them."""

from .part_probe import ProbeReport, StepSettings, probe_parts
from .part_report import format_report, report_fields

__all__ = ['ProbeReport', 'StepSettings', 'format_report', 'probe_parts', 'report_fields']
