"""`python -m bridge.cli`, the same as the command `gluon2caffe`."""

from bridge.cli import main

main()
