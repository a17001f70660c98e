"""Propagate the labels of some frames of a video to all its frames."""

from stdpose_mm.cli.propagate import main

if __name__ == '__main__':
    raise SystemExit(main())
