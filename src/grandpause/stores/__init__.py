"""Where a controller keeps what it must never lose; one file a store."""
