"""What takes too long for every day: ``python -m tests.long``, from the root of the repository.

Its parts use what the tests use, which are modules of their own: pytest puts their folder on the path, and so does
this.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
