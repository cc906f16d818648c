"""What takes too long for every run of the tests. From the root of the repository: ``python -m tests.long``."""

from __future__ import annotations

import sys
from pathlib import Path

HELPERS = str(Path(__file__).parent.parent)

if HELPERS not in sys.path:  # as pytest has it, so that what the tests share is found under the same names
    sys.path.insert(0, HELPERS)
