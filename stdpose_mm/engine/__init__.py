"""Extensions of the MMEngine runner: exact resuming, bf16 on any device, checked checkpoints.

Importing this package registers them.
"""

from . import hooks, optim_wrappers, packed_collate, runner, seeding

__all__ = ['hooks', 'optim_wrappers', 'packed_collate', 'runner', 'seeding']
