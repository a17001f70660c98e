# The tiny second system (semantic motion encoder and spatial-motion mutual learning) for pose
# estimation on generated videos.
_base_ = [
    '_base_/tiny_runtime.py',
    '_base_/schedules/tiny_cpu.py',
    '_base_/datasets/synthetic_estimation.py',
    '_base_/models/semantic_motion_tiny.py',
]

model = dict(head=dict(decoder={{_base_.codec}}))
