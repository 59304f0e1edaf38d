"""The command `gluon2caffe`."""

import sys


def main() -> None:
    """Run the command line of this process; this ends in SystemExit with the exit status."""
    try:
        from gluon2caffe.bridge.cli.commands import commands
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; nothing was written.\n")
        sys.exit(130)
    commands(prog_name="gluon2caffe")
