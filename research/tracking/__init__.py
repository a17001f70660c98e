"""Accuracy of person boxes and their identities."""
