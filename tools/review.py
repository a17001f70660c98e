"""Correct the poses of a video in the browser; only what an edit touches is propagated again."""

from stdpose_mm.cli.review import main

if __name__ == '__main__':
    raise SystemExit(main())
