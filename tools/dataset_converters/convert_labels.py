"""Convert pose labels from one file format to another."""

from stdpose_mm.cli.convert import main

if __name__ == '__main__':
    raise SystemExit(main())
