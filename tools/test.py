"""Test a checkpoint: print the metrics and, with --out, write them to a file."""

from stdpose_mm.cli.test import main

if __name__ == '__main__':
    raise SystemExit(main())
