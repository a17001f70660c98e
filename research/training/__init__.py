"""Training of the matcher and the fuser that ``auto`` ships."""
