"""Files of person detectors, and those that the authors of RTMPose publish, by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from stdpose_mm.errors import require_choice
from stdpose_mm.io.downloads import PublishedFile

DETECTOR_KINDS = ('rtmdet', 'yolox')
"""Architectures of ONNX files, which differ in how they take pictures: RTMDet normalised RGB, YOLOX
BGR in 0..255. MMDeploy gives both the same outputs, so that a file does not tell."""


class PublishedDetector(PublishedFile):
    """A published person detector."""

    dataset: ClassVar = 'person'
    """What it finds, in the place of a pose network's joint set."""


_ROWS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name('published_detectors.yaml').read_text(encoding='utf-8')
)
_TABLE = [
    PublishedDetector(
        tuple(row['names']),
        row['file'],
        (row['side'], row['side']),
        'Human-Art, COCO',
        sha256=row.get('sha256'),
    )
    for row in _ROWS
]
PUBLISHED_DETECTORS = {name: detector for detector in _TABLE for name in detector.names}
"""Detectors by name and alias; all are YOLOX, trained by the authors of MMPose."""


@dataclass(frozen=True)
class DetectorFile:
    """File or name of a detector.

    Args:
        name: Path of an ONNX file or a config, or the name of a config or a published detector.
        kind: One of ``DETECTOR_KINDS``; None if it is not given.
    """

    name: str
    kind: str | None = None

    @classmethod
    def parse(cls, detector: str | os.PathLike[str]) -> DetectorFile:
        """Read ``NAME``, ``FILE`` or ``FILE.onnx=KIND``.

        Raises:
            InputError: If the kind is unknown.
        """
        text = os.fspath(detector)
        file, equals, kind = text.rpartition('=')
        if os.path.isfile(text) or not equals or not file.endswith('.onnx'):
            return cls(text)
        require_choice(f'the kind of {file}', kind, DETECTOR_KINDS)
        return cls(file, kind)

    @property
    def is_published(self) -> bool:
        """Whether it is the name of a published detector, and not that of a file here."""
        return self.name in PUBLISHED_DETECTORS and not os.path.isfile(self.name)

    @property
    def is_onnx(self) -> bool:
        """Whether it is a network in an ONNX file."""
        return self.is_published or self.name.endswith('.onnx')

    def fetch(self) -> Path:
        """Return its path; a published detector is fetched first if it is missing.

        Raises:
            InputError: See :meth:`~stdpose_mm.io.downloads.PublishedFile.fetch`.
        """
        return PUBLISHED_DETECTORS[self.name].fetch() if self.is_published else Path(self.name)
