"""Estimate the poses of everyone in every frame of a video."""

import sys

from stdpose_mm.cli.infer import main

if __name__ == '__main__':
    sys.exit(main())
