"""Grandpause: a pause button for AI supercomputers."""

__version__ = "0.1.0"
