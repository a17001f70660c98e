"""What a command with several videos writes down of each: a finished one is not done again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stdpose_mm.cli.arguments import FILES, OUTPUTS, pose_network_files
from stdpose_mm.errors import InputError
from stdpose_mm.io import write_json
from stdpose_mm.io.fingerprint import code_fingerprint, file_fingerprint, fingerprint
from stdpose_mm.io.video import FrameSource

RECORD_FOLDER = '.stdpose'
"""Hidden folder of the records in the output folder."""

_NO_INPUTS = (*OUTPUTS, 'inputs', 'video', 'cache', 'launcher')
"""Options that do not change what is written, or count in another way."""


@dataclass(frozen=True)
class VideoResult:
    """What came of one video.

    Args:
        counts: Numbers by name, to show.
        summary: Lines that say what was written.
        advice: Lines that were asked for.
        incomplete: A sentence if the run was interrupted and the output holds the first frames.
    """

    counts: Mapping[str, int]
    summary: list[str]
    advice: list[str] = field(default_factory=list)
    incomplete: str | None = None


@dataclass(frozen=True)
class FinishedVideo:
    """What is kept of a finished video.

    Args:
        inputs: See :func:`fingerprint_inputs`.
        outputs: Option -> fingerprint of the file that was written.
        counts: See :class:`VideoResult`.
        advice: See there.
        seconds: Duration of the work.
    """

    inputs: str
    outputs: dict[str, str]
    counts: dict[str, int]
    advice: list[str]
    seconds: float


class VideoRecord:
    """The record of one video in a file of its own.

    It says which outputs this command wrote, so that no other file is overwritten, one that
    somebody has corrected by hand included.

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
        """Return what is kept of the finished video; None if it is not finished."""
        try:
            return FinishedVideo(**json.loads(self._path.read_text('utf-8')))
        except (OSError, ValueError, TypeError):
            return None

    def is_current(self, inputs: str) -> bool:
        """Whether the outputs are there, as they were written, from these inputs."""
        finished = self.read()
        return (
            finished is not None
            and finished.inputs == inputs
            and finished.outputs == self._written()
        )

    def refuse_foreign_outputs(self) -> None:
        """Raise :class:`InputError` if a file would be overwritten that this command did not write.

        After a run that was killed in the middle of this video nobody knows, and nothing is said.
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

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Note that the outputs may be in any state while the block runs.

        If it raises before it has written anything, the record is as it was.
        """
        known, before = self._known_outputs(), self.read()
        write_json(self._path, {'begun': True})
        try:
            yield
        except BaseException:
            if self._written().items() <= known.items():
                if before is None:
                    self._path.unlink()
                else:
                    write_json(self._path, asdict(before))
            raise

    def finish(self, inputs: str, result: VideoResult, seconds: float) -> FinishedVideo:
        """Write down that the video is finished."""
        finished = FinishedVideo(
            inputs, self._written(), dict(result.counts), result.advice, round(seconds, 3)
        )
        write_json(self._path, asdict(finished))
        return finished

    def _known_outputs(self) -> dict[str, str]:
        finished = self.read()
        return {} if finished is None else finished.outputs

    def _written(self) -> dict[str, str]:
        return {
            option: file_fingerprint(path) for option, path in self._files.items() if path.exists()
        }


def fingerprint_inputs(args: argparse.Namespace, frames: FrameSource) -> str:
    """Compute the fingerprint of all that decides the outputs of a video.

    That is the video, its labels, the options, the files that these name, and the code.

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
        # Options may be lists and name presets, and a description lies beside its network.
        files = [files.read for files in pose_network_files(args)]
        options['pose_networks'] = [[_content(path) for path in network] for network in files]
    video = Path(args.video)
    names = sorted(path.name for path in video.iterdir()) if video.is_dir() else [video.name]
    suffixes = {
        name: Path(vars(args)[name]).suffix for name in OUTPUTS if vars(args).get(name) is not None
    }
    return fingerprint(code_fingerprint(()), options, suffixes, names, frames)


def _content(value: str | Path) -> Any:
    """Return what a file or a folder counts by; the text of anything else, such as a URL."""
    path = Path(value)
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): file for file in path.rglob('*') if file.is_file()
        }
    if path.suffix == '.py' and path.is_file():
        # It may inherit from other files.
        from stdpose_mm.engine.config_files import read_config

        return read_config(path).to_dict()
    return path if path.is_file() else str(value)
