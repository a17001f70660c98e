"""Inference: networks that see windows, and the poses that they find in the frames of a video.

Only the modules ``window_model`` and ``torch_window_backend`` need PyTorch and MMPose.
"""
