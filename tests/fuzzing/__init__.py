"""Seeded mutations of label files and command lines; see tools/misc/fuzz_labels.py."""
