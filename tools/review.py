"""Label and correct poses in the browser; an edit recomputes only the poses that depend on it."""

from stdpose_mm.cli.review import main

if __name__ == '__main__':
    raise SystemExit(main())
