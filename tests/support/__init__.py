"""Helpers that several tests share: samples, toy data and models."""
