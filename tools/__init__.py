"""Tools of the repository, which are not installed with the package."""
