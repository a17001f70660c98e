"""Write a trained model as ONNX files for onnxruntime, whole and in halves."""

import sys

from stdpose_mm.cli.export import main

if __name__ == '__main__':
    sys.exit(main())
