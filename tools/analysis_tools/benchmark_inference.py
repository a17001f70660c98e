"""Say where to find this command now."""

import sys

print(
    'benchmark_inference.py: moved, run `python -m research.tools.benchmark_inference`',
    file=sys.stderr,
)
sys.exit(2)
