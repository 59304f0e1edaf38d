"""Netron in a real browser."""
