"""The command `gluon2caffe`."""

import sys

from gluon2caffe.bridge.cli.streams import prepare_streams


def main() -> None:
    """Run the command line of this process; this ends in SystemExit with the exit status."""
    prepare_streams()
    try:
        from gluon2caffe.bridge.cli.commands import commands
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; nothing was written.\n")
        sys.exit(130)
    commands(prog_name="gluon2caffe")
