"""Training beyond the MMEngine runner: a network that learns from labels, pseudo-labels."""
