"""Files on disk: whole or not at all, guarded, named and cached."""
