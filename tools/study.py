"""Say where this command went."""

import sys

print('study.py: moved, run `python -m research.tools.study`', file=sys.stderr)
sys.exit(2)
