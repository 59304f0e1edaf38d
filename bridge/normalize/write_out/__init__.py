"""Operators written out as simpler ones, which are lowered."""
