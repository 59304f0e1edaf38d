"""Differential fuzzing: `make fuzz N=10000`."""
