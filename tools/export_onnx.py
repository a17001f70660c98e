"""Export a trained model to ONNX files for onnxruntime, as a whole and in two halves."""

from stdpose_mm.cli.export import main

if __name__ == '__main__':
    raise SystemExit(main())
