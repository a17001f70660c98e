"""Runner of tests that requires a complete checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.runner import Runner

from stdpose_mm.errors import InputError, one_line


class WholeModelRunner(Runner):
    """Refuse a checkpoint whose weights are not exactly those of the model.

    MMEngine's ``Runner`` only logs missing weights and goes on with random ones.
    """

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: Any = ((r'^module.', ''),),
    ) -> Any:
        """Load the weights.

        Raises:
            InputError: If they cannot be read or are not those of the model.
        """
        try:
            return super().load_checkpoint(filename, map_location, strict, list(revise_keys))
        except InputError:
            raise
        except (AttributeError, RuntimeError, ValueError, LookupError) as error:
            raise InputError(
                f'checkpoint {filename} cannot be loaded into the model of the config '
                f'({one_line(error)}), give the config it was trained with'
            ) from error
