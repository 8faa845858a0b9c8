"""Inner loops in Python, compiled by numba once for a processor, and loaded by LLVM alone afterwards."""
