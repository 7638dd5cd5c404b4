"""The pure core: values in, values out. No clock, network, disk, randomness, threads or logging."""
