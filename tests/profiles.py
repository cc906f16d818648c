"""Hypothesis profiles: ``ci``, which is what runs unless told otherwise, and ``long``.

``HYPOTHESIS_PROFILE=long pytest`` or ``pytest --hypothesis-profile=long``. Tests that run longer or shorter than
others say so with ``times``, and stay in proportion.
"""

from __future__ import annotations

import os

from hypothesis import settings

PER_CENT = 100

settings.register_profile("ci", max_examples=PER_CENT, stateful_step_count=30, deadline=None, print_blob=True)
settings.register_profile("long", settings.get_profile("ci"), max_examples=20 * PER_CENT, stateful_step_count=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def times(examples: int) -> int:
    """As many examples as the profile that is loaded makes of ``examples`` in ``ci``."""
    return examples * settings().max_examples // PER_CENT
