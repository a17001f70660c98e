"""Runner of trainings that stops if the given checkpoint does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import CheckpointLoader, Runner
from torch import nn

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.models.pretrained import compare_weights, model_weights
from stdpose_mm.text import listed

from .checkpoints import last_checkpoint

_STATES = ('state_dict', 'optimizer', 'meta', 'message_hub')
_WRONG = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""Errors that MMEngine raises on a checkpoint of another layout or model."""

_ADVICE = 'give one of a run with this config, or its weights alone as load_from'


class TrainingRunner(Runner):
    """Refuse a checkpoint that does not fit the run.

    MMEngine's ``Runner`` reads the checkpoint after all data. It only logs missing weights and goes
    on with random ones, and with a new optimizer if the checkpoint has none.
    """

    _load_from: str | None

    def train(self) -> nn.Module:
        """Check the checkpoint before any data are read, then train.

        A checkpoint at a URL is checked after its download, which follows the reading of data:
        missing data should be reported before a long download.

        Raises:
            InputError: If the file cannot be read, a resumed run gets a checkpoint of a different
                run, or the weights fill nothing of the model, or not the whole backbone.
        """
        if self._resume and self._load_from is None:
            self._load_from = last_checkpoint(self.work_dir)
        if self._load_from is not None and not _is_address(self._load_from):
            self._require_checkpoint(str(self._load_from))
        return super().train()

    def load_or_resume(self) -> None:
        """Check a checkpoint at a URL, then load it or resume from it.

        Raises:
            InputError: See :meth:`train`.
        """
        if not self._has_loaded and self._load_from is not None and _is_address(self._load_from):
            self._require_checkpoint(str(self._load_from))
        super().load_or_resume()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Restore the complete state of a run of this config.

        Raises:
            InputError: If the file cannot be read or is not of such a run.
        """
        with _refusing(filename, resumed=True):
            super().resume(filename, *args, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Any = ((r'^module.', ''),),
    ) -> Any:
        """Load the weights; all of them in a run that is resumed.

        Raises:
            InputError: If they cannot be read, or a resumed run gets weights of another model.
        """
        resumed = bool(self._resume)
        with _refusing(filename, resumed):
            return super().load_checkpoint(
                filename, map_location, strict or resumed, list(revise_keys)
            )

    def _maybe_compile(self, target: str) -> None:
        """Compile the training step if the config says so.

        Raises:
            InputError: If ``compile`` of the config is no such setting.
        """
        try:
            super()._maybe_compile(target)
        except (AssertionError, RuntimeError, TypeError) as error:
            raise InputError(
                f'compile = {self.cfg.compile!r} of the config cannot be used ({one_line(error)}), '
                'expected True, False or a dictionary of arguments of torch.compile'
            ) from error

    def _require_checkpoint(self, filename: str) -> None:
        resumed = bool(self._resume)
        checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
        if resumed:
            _require_states(filename, checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        with _refusing(filename, resumed):
            report = compare_weights(model, model_weights(checkpoint))
        unfilled = [*report.missing, *report.other_shape]
        if resumed and unfilled:
            raise InputError(
                f'checkpoint {filename} cannot be resumed, it does not fill {listed(unfilled, 4)} '
                f'of the model, {_ADVICE}'
            )
        report.require_backbone(filename)
        report.require_any(filename)


def _is_address(checkpoint: str) -> bool:
    return '://' in str(checkpoint)


def _require_states(filename: str, checkpoint: Mapping[str, Any]) -> None:
    missing = [name for name in _STATES if not isinstance(checkpoint.get(name), Mapping)]
    if not missing:
        meta = checkpoint['meta']
        missing = [name for name in ('epoch', 'iter') if not isinstance(meta.get(name), int)]
    if missing:
        raise InputError(f'checkpoint {filename} cannot be resumed without {missing[0]}, {_ADVICE}')


@contextmanager
def _refusing(filename: str, resumed: bool) -> Iterator[None]:
    """Turn errors about a checkpoint that does not fit into an InputError."""
    try:
        yield
    except InputError:
        raise
    except _WRONG as error:
        what, advice = 'loaded', 'give one of the model of the config'
        if resumed:
            what, advice = 'resumed', _ADVICE
        raise InputError(
            f'checkpoint {filename} cannot be {what} ({one_line(error)}), {advice}'
        ) from error
