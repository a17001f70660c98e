"""Command lines shared by ``tools/`` and the ``stdpose`` command."""

import os

# NumPy's OpenBLAS reads this at its import. Its threads spin between the many small products of a
# propagation, on the cores on which frames are filled: a sixth of the processor time on two cores.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
