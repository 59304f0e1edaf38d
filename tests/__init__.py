"""The tests; a package of its own, since packages on the index bring a top-level `tests` too."""
