"""The World: many simulated sites with every source of trouble under one seed. (docs/reliability.md)

Inside run the production keeper, controller, planner, conductor and prover; only their IO is simulated.
The same seed gives the same world, event by event. What must never happen is checked as it happens, in
``invariants``, against what the simulated people really signed and what the simulated machines really do.
"""
