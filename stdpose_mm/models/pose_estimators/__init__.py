"""Pose estimators: the whole models."""

from .stdpose import STDPose

__all__ = ['STDPose']
