"""The programs in the readers' child processes; each runs in its reader's own Python, without this package."""
