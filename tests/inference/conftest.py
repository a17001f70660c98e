from __future__ import annotations

import sys
from pathlib import Path

# The tiny model of the propagators' tests.
sys.path.insert(0, str(Path(__file__).parents[1] / 'propagation'))
