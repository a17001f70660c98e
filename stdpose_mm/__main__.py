"""``python -m stdpose_mm`` is the ``stdpose`` command."""

import sys

from stdpose_mm.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
