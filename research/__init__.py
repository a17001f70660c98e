"""Benchmarks of stdpose_mm and training of the networks that it ships; not part of the package."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""
