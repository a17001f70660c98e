"""Extensions of the MMEngine runner: exact resuming, bf16 on any device, complete checkpoints."""

from __future__ import annotations

from .hooks import CheckpointReportHook, HeatmapTeacherHook, WindowVisualizationHook
from .optim_wrappers import AutocastOptimWrapper, ViTOptimWrapperConstructor
from .packed_collate import packed_collate
from .runner import AtomicLocalBackend, CheckedRunner
from .seeding import RandomStateHook, SeededInfiniteSampler, SeededSampler, SeedSample

__all__ = [
    'AtomicLocalBackend',
    'AutocastOptimWrapper',
    'CheckedRunner',
    'CheckpointReportHook',
    'HeatmapTeacherHook',
    'RandomStateHook',
    'SeedSample',
    'SeededInfiniteSampler',
    'SeededSampler',
    'ViTOptimWrapperConstructor',
    'WindowVisualizationHook',
    'packed_collate',
]
