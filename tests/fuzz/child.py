"""One batch of cases in a process of its own: `python -m tests.fuzz.child KIND SEED COUNT [SKIP]`.

A line of JSON tells how each case ended; the parent takes the case after the last line for the one that the process
ended at. `SKIP` cases of the batch have been told before.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys

LONGEST_SECONDS = 120
MOST_MEMORY = 6 * 2**30
HANG_STATUS = 1  # what faulthandler ends a process with


def main(title: str, seed: int, count: int, skip: int) -> None:
    """Run the cases of a batch."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The answers have a pipe of their own: what libraries print must not stand among them.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from tests.fuzz.kinds import KINDS

    kind = KINDS[title]
    for number, (end, words) in enumerate(_timed(kind(seed, count))):
        if number >= skip:
            print(json.dumps({"number": number, "end": end, "words": words}), file=answers, flush=True)
    answers.close()
    from agreement import close_workers

    close_workers()


def _timed(cases):  # type: ignore[no-untyped-def]
    """The cases, each with its own time."""
    while True:
        faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
        try:
            case = next(cases)
        except StopIteration:
            faulthandler.cancel_dump_traceback_later()
            return
        yield case


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    # Libraries may crash while their static objects are destroyed; all answers are out by now.
    os._exit(0)
