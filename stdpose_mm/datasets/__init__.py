"""Windows of videos: datasets that list them, transforms that prepare them, generated clips.

Importing this package imports nothing: the generated clips need neither PyTorch nor OpenMMLab.
"""
