"""Time and work of inference, propagation and training."""
