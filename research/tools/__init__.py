"""Commands, run as ``python -m research.tools.NAME`` in the root of the repository."""
