"""Convert pose labels from one file format to another."""

import sys

from stdpose_mm.cli.convert import main

if __name__ == '__main__':
    sys.exit(main())
