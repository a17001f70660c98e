"""Write a trained model as ONNX files for onnxruntime, whole and in halves."""

from stdpose_mm.cli.export import main

if __name__ == '__main__':
    raise SystemExit(main())
