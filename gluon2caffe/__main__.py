"""`python -m gluon2caffe`, the same as the command `gluon2caffe`."""

from gluon2caffe.bridge.cli import main

main()
