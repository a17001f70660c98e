"""Accuracy of predicted poses, tracks and scores.

``functional`` computes every metric from plain label structures and needs neither torch nor
MMPose; ``metrics`` wraps it for the MMEngine runner and is imported where the package registers
its classes.
"""
