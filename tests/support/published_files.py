"""A server that has published networks, in the form of the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
from stdpose_mm.io.downloads import MIRROR_VARIABLE
from stdpose_mm.labelling.evidence.network_description import PRESETS
from stdpose_mm.labelling.evidence.published_networks import PUBLISHED

from .bare_onnx import heatmap_network, published_zip, simcc_network
from .file_server import serve


@contextmanager
def publish(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    size: tuple[int, int] | None = None,
    content: bytes | None = None,
) -> Iterator[list[str]]:
    """Serve a published network on the loopback address, and name the server as the mirror.

    A pose network puts all joints at the brightest place of the crop.

    Args:
        folder: Where its files are written.
        monkeypatch: Undoes it.
        name: Its name or alias.
        size: Width and height of its input, if they are not those of the table.
        content: Content of its ONNX file; needed for a detector.

    Yields:
        The requests.
    """
    network = PUBLISHED_DETECTORS.get(name) or PUBLISHED[name]
    if content is None:
        preset = PRESETS[network.preset]
        make = simcc_network if preset.output == 'simcc' else heatmap_network
        content = make(len(preset.joints), size or network.input_size)
    file = folder / 'published' / network.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(published_zip(content) if file.suffix == '.zip' else content)
    # This is not the published network.
    monkeypatch.setitem(vars(network), 'sha256', None)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with serve(folder / 'published') as (address, requests):
        monkeypatch.setenv(MIRROR_VARIABLE, address)
        yield requests
