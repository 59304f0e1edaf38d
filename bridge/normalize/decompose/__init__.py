"""Operators decomposed into simpler ones, which are lowered."""
