"""What every ``Collection`` does, as tests: a class that another implementation inherits and runs with pytest.

    from vecstore.testing.conformance import CollectionConformance

    class TestMine(CollectionConformance):
        @pytest.fixture
        def make_collection(self):
            opened = []
            def make(vectors):
                opened.append(MyCollection(vectors=vectors))
                return opened[-1]
            yield make
            for col in opened:
                col.close()

``make_collection`` gives a function that makes an empty collection with the vectors it is given (``VectorParams``, or
``{name: VectorParams}``). Its writes return what has ``result()``, and its errors are those of ``vecstore.errors``.
The tests pass REST dicts and the models of ``vecstore``, and know only the public calls. Numbers in their names are
those of the rules of Qdrant's points API that ``vecstore`` keeps.
"""

from vecstore.testing.conforming_filters import FilterConformance
from vecstore.testing.conforming_reads import ReadConformance
from vecstore.testing.conforming_writes import WriteConformance

__all__ = ["CollectionConformance"]


class CollectionConformance(WriteConformance, ReadConformance, FilterConformance):
    """Inherit it, name the class ``Test...``, and override the fixture ``make_collection``."""
