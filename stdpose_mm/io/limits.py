"""The limits of files from others; docs/reference/security.md has the same table.

They bound memory and time, and are far above what real files hold.
"""

from __future__ import annotations

MAX_UNZIPPED = 2**31
"""Maximum uncompressed bytes of a zipped label file and of an array in one: enough for a year of
dense labels."""

MAX_UNZIPPED_UNSEEN, MAX_RATIO = 2**26, 250
"""Above the first number of uncompressed bytes, the compression ratio may be at most the second.
Labels shrink to a tenth or less, runs of equal bytes to a thousandth."""

MAX_FRAME_INDEX = 10**7
"""Largest frame number: four days of video."""

MAX_COORDINATE = 1e7
"""Largest coordinate in pixels; larger values are treated as mistakes in the file."""

MAX_ID = 2**63 - 1
"""Largest number of a person, a picture or an annotation."""

MAX_JOINTS = 1000
"""Maximum number of joints of a skeleton."""

MAX_FILES = 10**6
"""Maximum number of label files in a folder."""

MAX_DEPTH = 100
"""Maximum nesting of the fields that are kept for writing; Python stops at about 1000."""

MAX_PIXELS = 178_956_970
"""Maximum number of pixels of a picture, the same as Pillow's limit."""


def unzipped_limit(size: int) -> int:
    """Return the maximum uncompressed bytes of a zipped label file of ``size`` bytes."""
    return min(MAX_UNZIPPED, max(MAX_UNZIPPED_UNSEEN, MAX_RATIO * size))
