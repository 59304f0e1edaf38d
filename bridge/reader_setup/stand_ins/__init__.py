"""Modules that are put into a reader's environment in place of packages of which it uses next to nothing."""
