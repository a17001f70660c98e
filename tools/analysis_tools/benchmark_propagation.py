"""Say where this command went."""

import sys

print(
    'benchmark_propagation.py: moved, run `python -m research.tools.benchmark_propagation`',
    file=sys.stderr,
)
sys.exit(2)
