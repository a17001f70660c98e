"""Inference: every network that sees windows, and poses in the frames of a video by them.

Only the modules ``window_model`` and ``torch_window_backend`` need PyTorch and MMPose.
"""
