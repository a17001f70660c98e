"""Zip files as labelling tools export them."""

from __future__ import annotations

import io
import zipfile


def zipped(text: bytes, name: str = 'annotations.xml') -> bytes:
    """Return the bytes of a zip file with one compressed member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()
