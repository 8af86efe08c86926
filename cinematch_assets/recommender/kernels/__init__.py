"""Compiled kernels that several methods share, and the threads they run on. Importing most of them loads numba."""
