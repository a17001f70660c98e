"""Time and operations of inference, propagation and training."""
