"""Records of a command on several videos, so that finished videos are not computed again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stdpose_mm.cli.arguments import FILES, OUTPUTS, evidence_files
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.fingerprint import code_fingerprint, file_fingerprint, fingerprint
from stdpose_mm.io.video import FrameSource

RECORD_FOLDER = '.stdpose'
"""Hidden folder of the records in the output folder."""

_NO_INPUTS = (*OUTPUTS, 'inputs', 'video', 'cache', 'launcher')
"""Options that do not change the outputs, or enter the fingerprint in another way."""


@dataclass(frozen=True)
class VideoResult:
    """Hold the results of one video.

    Args:
        counts: Name -> number, for the summary.
        summary: Lines that say what was written.
        advice: Lines of advice that the options ask for.
        incomplete: A sentence if the run was interrupted and the output holds the first frames.
    """

    counts: Mapping[str, int]
    summary: list[str]
    advice: list[str] = field(default_factory=list)
    incomplete: str | None = None


@dataclass(frozen=True)
class FinishedVideo:
    """Hold the record of a finished video.

    Args:
        inputs: See :func:`fingerprint_inputs`.
        outputs: Option -> fingerprint of the file that was written.
        counts: See :class:`VideoResult`.
        advice: See :class:`VideoResult`.
        seconds: Duration of the work in seconds.
    """

    inputs: str
    outputs: dict[str, str]
    counts: dict[str, int]
    advice: list[str]
    seconds: float


class VideoRecord:
    """Read and write the record of one video in a file of its own.

    The record names the outputs that this command wrote, so that no other file is overwritten,
    including an output that was corrected by hand.

    Args:
        path: The file.
        args: The command line of this video.
    """

    def __init__(self, path: Path, args: argparse.Namespace) -> None:
        self._path = path
        self._files = {
            option: Path(vars(args)[option]) for option in OUTPUTS if vars(args).get(option)
        }

    def read(self) -> FinishedVideo | None:
        """Return the record of the finished video; None if the video is not finished."""
        try:
            return FinishedVideo(**(self._content() or {}))
        except TypeError:
            return None

    def is_current(self, inputs: str) -> bool:
        """Tell whether the outputs exist unchanged and were made from these inputs."""
        finished = self.read()
        return (
            finished is not None
            and finished.inputs == inputs
            and finished.outputs == self._written()
        )

    def refuse_foreign_outputs(self) -> None:
        """Raise :class:`InputError` if a file would be overwritten that this command did not write.

        After a run that was killed during this video the origin of files is unknown: no file is
        refused, see :meth:`find_unsure_labels`.
        """
        if self._path.exists() and self.read() is None:
            return
        known = self._known_outputs()
        for option, content in self._written().items():
            if known.get(option) != content:
                how = 'was changed since it was' if option in known else 'was not'
                raise InputError(
                    f'{self._files[option]} {how} written by this command, take it away or choose '
                    'another folder'
                )

    def find_unsure_labels(self) -> Path | None:
        """Return the labels if they may be edited or those of a run that was killed; else None."""
        labels = self._files.get('out')
        if labels is None or self.read() is not None or not labels.is_file():
            return None
        return None if file_fingerprint(labels) == self._known_outputs().get('out') else labels

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Record that the outputs may be in any state while the block runs.

        If the block raises before it has written anything, the old record is restored.
        """
        known, before = self._known_outputs(), self._content()
        write_json(self._path, {'begun': True, 'outputs': known})
        try:
            yield
        except BaseException:
            if self._written().items() <= known.items():
                if before is None:
                    self._path.unlink()
                else:
                    write_json(self._path, before)
            raise

    def finish(self, inputs: str, result: VideoResult, seconds: float) -> FinishedVideo:
        """Record that the video is finished, and return the record."""
        finished = FinishedVideo(
            inputs, self._written(), dict(result.counts), result.advice, round(seconds, 3)
        )
        write_json(self._path, asdict(finished))
        return finished

    def _content(self) -> dict[str, Any] | None:
        """Return what the file holds; None if there is none or it cannot be read."""
        try:
            content = json.loads(self._path.read_text('utf-8'))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _known_outputs(self) -> dict[str, str]:
        """Return the outputs of the last run that finished the video."""
        return (self._content() or {}).get('outputs', {})

    def _written(self) -> dict[str, str]:
        return {
            option: file_fingerprint(path) for option, path in self._files.items() if path.exists()
        }


def fingerprint_inputs(args: argparse.Namespace, frames: FrameSource) -> str:
    """Compute the fingerprint of everything that determines the outputs of a video.

    This is the video, its labels, the options, the files that the options name, and the code.

    Args:
        args: The command line of this video.
        frames: The video.

    Raises:
        InputError: If a file cannot be read.
    """
    options: dict[str, Any] = {
        name: value for name, value in vars(args).items() if name not in _NO_INPUTS
    }
    options |= {name: _content(options[name]) for name in FILES if options.get(name) is not None}
    if 'pose_onnx' in args:
        # These options may be lists and name presets, and a network has a description beside it.
        networks = evidence_files(args, Path(args.video)).values()
        options['pose_networks'] = [
            [(path.name, _content(path)) for path in files] for files in networks
        ]
    video = Path(args.video)
    names = sorted(path.name for path in video.iterdir()) if video.is_dir() else [video.name]
    suffixes = {
        name: Path(vars(args)[name]).suffix for name in OUTPUTS if vars(args).get(name) is not None
    }
    return fingerprint(code_fingerprint(()), options, suffixes, names, frames)


def _content(value: str | Path) -> Any:
    """Return the content of a file or folder; the text of anything else, such as a URL."""
    path = Path(value)
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): file for file in path.rglob('*') if file.is_file()
        }
    if path.suffix == '.py' and path.is_file():
        # A config may inherit from other files.
        from stdpose_mm.engine.config_files import read_config

        return read_config(path).to_dict()
    return path if path.is_file() else str(value)
