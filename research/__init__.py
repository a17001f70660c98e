"""What measures stdpose_mm and trained what it ships; no part of the package. See README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""
