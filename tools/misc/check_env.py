"""Print what is installed and what is wrong with it; works where the package cannot be imported."""

from __future__ import annotations

import runpy
from pathlib import Path

if __name__ == '__main__':
    # By path: the package itself may be what cannot be imported.
    runpy.run_path(
        str(Path(__file__).resolve().parents[2] / 'stdpose_mm' / 'env.py'), run_name='__main__'
    )
