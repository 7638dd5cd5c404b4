"""The cases of spec/vectors/: one module a file, each with ``cases()``. Written by tools/make_vectors.py."""
