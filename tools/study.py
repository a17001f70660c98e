"""Say where to find this command now."""

import sys

print('study.py: moved, run `python -m research.tools.study`', file=sys.stderr)
sys.exit(2)
