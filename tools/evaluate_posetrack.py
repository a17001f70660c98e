"""Evaluate PoseTrack predictions: AP per joint, MOTA and MOTP."""

import sys

from stdpose_mm.cli.evaluate import main

if __name__ == '__main__':
    sys.exit(main())
