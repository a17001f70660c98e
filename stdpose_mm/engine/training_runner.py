"""Runner of trainings, which begin with the checkpoint that was given or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.runner import Runner

from stdpose_mm.errors import InputError

from .config_files import one_line

_STATES = ('state_dict', 'optimizer', 'meta', 'message_hub')
_WRONG = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What MMEngine raises on a checkpoint that is laid out otherwise, or of another model."""


class TrainingRunner(Runner):
    """Refuse a checkpoint that does not go on with the run it is given to.

    MMEngine's ``Runner`` logs which weights are missing and goes on, with random ones in their
    place, and with a new optimizer if there is none.
    """

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Take over everything a run of this config has stored.

        Raises:
            InputError: If the file cannot be read or is not of such a run.
        """
        try:
            super().resume(filename, *args, **kwargs)
        except InputError:
            raise
        except _WRONG as error:
            raise InputError(
                f'checkpoint {filename} cannot be resumed ({one_line(error)}), give one of a run '
                'with this config, or its weights alone as load_from'
            ) from error

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = False,
        revise_keys: Any = ((r'^module.', ''),),
    ) -> Any:
        """Load the weights; all of them in a run that is resumed.

        Raises:
            InputError: If they cannot be read, or a run is resumed and they are of another model.
        """
        resumed = bool(self._resume)
        try:
            checkpoint = super().load_checkpoint(
                filename, map_location, strict or resumed, list(revise_keys)
            )
        except InputError:
            raise
        except _WRONG as error:
            what = 'resumed' if resumed else 'loaded'
            raise InputError(
                f'checkpoint {filename} cannot be {what} ({one_line(error)}), give one of the '
                'model of the config'
            ) from error
        missing = [name for name in _STATES if not isinstance(checkpoint.get(name), Mapping)]
        if not missing:
            meta = checkpoint['meta']
            missing = [name for name in ('epoch', 'iter') if not isinstance(meta.get(name), int)]
        if resumed and missing:
            raise InputError(
                f'checkpoint {filename} cannot be resumed without {missing[0]}, give one that a '
                'training run wrote, or its weights alone as load_from'
            )
        return checkpoint
