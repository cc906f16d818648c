"""For tests: points to try things with, a comparison of points, and what every ``Collection`` has to do.

    random_points         points with vectors and payloads of every kind, the same ones for the same seed
    assert_same_points    two collections, or lists of points, hold the same
    conformance           ``CollectionConformance``: a class of tests another implementation can inherit (wants pytest)

``vecstore.pytest_plugin`` has fixtures for collections that are fresh for every test.
"""

from vecstore.testing.compare import assert_same_points
from vecstore.testing.points import random_points

__all__ = ["assert_same_points", "random_points"]
