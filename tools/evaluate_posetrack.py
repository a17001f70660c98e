"""Evaluate PoseTrack predictions: AP per joint, MOTA and MOTP."""

from stdpose_mm.cli.evaluate import main

if __name__ == '__main__':
    raise SystemExit(main())
