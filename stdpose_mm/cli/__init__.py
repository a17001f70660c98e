"""Command lines shared by ``tools/`` and the ``stdpose`` command."""
