"""Train a model from a config."""

from stdpose_mm.cli.train import main

if __name__ == '__main__':
    raise SystemExit(main())
