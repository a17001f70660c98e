"""What measures stdpose_mm and trained what it ships; no part of the package. See README.md."""
