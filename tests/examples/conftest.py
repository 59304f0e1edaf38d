"""The examples are run from the root of the repository; they are not installed with the packages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
