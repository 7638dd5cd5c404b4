"""The soak: world after world, seed after seed, on every core. (spec/soak.md)

    seeds -> workers (processes, or a Dask cluster) -> outcomes -> totals -> one JSON document
                                                          └-> a failure is told in words and shrunk

A world is a function of its seed, so the order in which worlds end cannot matter: every figure that does not
measure time is the same on one core, on many, and on a cluster. No world is left out in silence: one that
raises, kills its process or runs away is a failure with a seed, like any other.
"""
