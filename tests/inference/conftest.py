from __future__ import annotations

import sys
from pathlib import Path

# The tiny models are those of the propagation's tests.
sys.path.append(str(Path(__file__).parents[1] / 'propagation'))
