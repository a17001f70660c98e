"""Command lines shared by ``tools/`` and the ``stdpose`` command."""

import os

# NumPy's OpenBLAS reads this when it is imported. Propagation computes many small products, and
# OpenBLAS threads spin between them on the cores that fill frames: on two cores, a sixth of the
# processor time.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
