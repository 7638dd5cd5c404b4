"""Verifying evidence offline: needs a bundle, a charter that one trusts, and nothing else."""
