"""Mutation score: `make mutation`."""
