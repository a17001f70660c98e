"""Estimate the poses of everyone in every frame of a video."""

from stdpose_mm.cli.infer import main

if __name__ == '__main__':
    raise SystemExit(main())
