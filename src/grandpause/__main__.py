"""``python -m grandpause``."""

from grandpause.cli import main

main()
