"""Training without the MMEngine runner: a network that learns from labels."""
