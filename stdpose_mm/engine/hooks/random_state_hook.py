from __future__ import annotations

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from stdpose_mm.engine.samplers import SeededInfiniteSampler, SeededSampler
from stdpose_mm.engine.seeding import derive_seed, seed_generators


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Make the randomness of every training step a function of the seed and the step's number.

    MMEngine restores weights, optimizer, schedulers and the number of the step, but no generator,
    so what a resumed run draws (dropout, sampled losses) differs from the run it continues.
    Instead of storing the states of all generators of all ranks, this hook seeds them before every
    step from (seed, rank, step). It also

    - keeps the sampler's seed in the checkpoint: without a configured seed MMEngine draws a new
      one and builds the sampler with it before it reads the checkpoint's;
    - lets an epoch-based run that resumes in the middle of an epoch go on there: MMEngine would
      begin that epoch again. This needs :class:`~stdpose_mm.engine.samplers.SeededSampler`.

    Exact resuming further needs the seeded samplers and :class:`SeedSample`;
    without them it holds at the end of an epoch only, for data loaders without persistent workers.
    Accumulated gradients are not part of a checkpoint: save at a multiple of
    ``accumulative_counts``.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._sampler_seed: int | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the sampler's seed."""
        seed = getattr(runner.train_dataloader.sampler, 'seed', None)
        if seed is not None:
            checkpoint['sampler_seed'] = seed

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the sampler's seed of the run that is resumed."""
        self._sampler_seed = checkpoint.get('sampler_seed')

    def before_train(self, runner: Runner) -> None:
        """Continue with the sampler where the resumed run left it."""
        # A checkpoint also serves as mere pretrained weights (`load_from`): iteration 0.
        if runner.iter == 0:
            return
        sampler = runner.train_dataloader.sampler
        if not isinstance(sampler, SeededSampler | SeededInfiniteSampler):
            return
        if self._sampler_seed is not None:
            sampler.seed = self._sampler_seed
        if isinstance(sampler, SeededSampler):
            # After a checkpoint of the epoch's last iteration no samples remain, but the hooks at
            # the end of the epoch (schedulers, validation) must still run.
            done = runner.iter - runner.epoch * len(runner.train_dataloader)
            if done > 0:
                runner.logger.info(f'resuming epoch {runner.epoch + 1} after {done} iterations')
                sampler.start_next_epoch_at(done * runner.train_dataloader.batch_size)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the draws between two epochs: the data loader's workers and first batches."""
        self._seed(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed the model's random draws in this step."""
        self._seed(runner)

    @staticmethod
    def _seed(runner: Runner) -> None:
        seed_generators(derive_seed(runner.seed, get_rank(), runner.iter))
