"""Labelling of videos: propagation of labels, evidence for it, review and learning."""
