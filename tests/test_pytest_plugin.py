"""The pytest plugin: its fixtures, and tests that leave failed operations behind."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from vecstore import pytest_plugin

pytest_plugins = ["pytester"]

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
REFUSED = "vecstore_collection.set_payload({'a': 1}, [99])"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytester that has the plugin, whether it is installed or not."""
    options = "--disable-plugin-autoload -p vecstore.pytest_plugin -p no:cacheprovider -W error"
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    return pytester


def test_the_entry_point_is_there() -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    found = re.search(r'\[project.entry-points.pytest11\]\n"(.*)" = "(.*)"\n', text)
    assert found is not None
    assert import_module(found[2]) is pytest_plugin
    # The name is the module's, so that `-p vecstore.pytest_plugin` beside an installed vecstore is no second one.
    assert found[1] == found[2]


def test_the_fixtures_say_what_they_are(run: pytest.Pytester) -> None:
    shown = run.runpytest_inprocess("--fixtures").stdout.str()
    ours = shown[shown.index("fixtures defined from vecstore.pytest_plugin") :]
    for name in ("collection", "collection_on_disk", "factory", "vectors"):
        assert f"vecstore_{name} -- " in ours
    assert "no docstring available" not in ours


def test_collections_are_fresh_and_closed_afterwards(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest
        from vecstore import CollectionClosed, VectorParams

        SEEN = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_in_memory(vecstore_collection, turn):
            assert len(vecstore_collection) == 0
            vecstore_collection.upsert([{"id": 1, "vector": [1, 2, 3, 4]}]).result()
            assert vecstore_collection.info().path is None
            SEEN.append(vecstore_collection)

        @pytest.mark.parametrize("turn", [1, 2])
        def test_on_disk(vecstore_collection_on_disk, tmp_path, turn):
            assert len(vecstore_collection_on_disk) == 0
            vecstore_collection_on_disk.upsert([{"id": 1, "vector": [1, 2, 3, 4]}]).result()
            assert vecstore_collection_on_disk.info().path == str(tmp_path / "collection.vecstore")
            SEEN.append(vecstore_collection_on_disk)

        def test_both_and_more(vecstore_collection, vecstore_collection_on_disk, vecstore_factory):
            other = vecstore_factory(vectors=VectorParams(2, "Dot"))
            vecstore_collection.upsert([{"id": 1, "vector": [1, 2, 3, 4]}]).result()
            assert len(vecstore_collection_on_disk) == len(other) == 0
            SEEN.extend([vecstore_collection, vecstore_collection_on_disk, other])

        def test_a_path_is_one_collection(vecstore_factory, tmp_path):
            one, other = vecstore_factory("here"), vecstore_factory("here", durability="fsync", auto_index=False)
            one.upsert([{"id": 1, "vector": [1, 2, 3, 4]}]).result()
            assert len(other) == 1
            assert (tmp_path / "here").is_dir()
            one.close()
            SEEN.extend([one, other])

        def test_all_are_closed():
            assert len(SEEN) == 9
            for col in SEEN:
                with pytest.raises(CollectionClosed):
                    col.count()
        """
    )
    run.runpytest_inprocess().assert_outcomes(passed=7)


def test_vectors_can_be_overridden(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest
        from vecstore import VectorParams

        @pytest.fixture
        def vecstore_vectors():
            return {"image": VectorParams(2, "Dot")}

        def test_here(vecstore_collection, vecstore_collection_on_disk):
            for col in (vecstore_collection, vecstore_collection_on_disk):
                assert list(col.info().vectors) == ["image"]

        class TestThere:
            @pytest.fixture(params=[2, 3])
            def vecstore_vectors(self, request):
                return VectorParams(request.param, "Euclid")

            def test_there(self, vecstore_collection, vecstore_vectors):
                assert vecstore_collection.info().vectors[""].size == vecstore_vectors.size
        """
    )
    run.runpytest_inprocess().assert_outcomes(passed=3)


@pytest.mark.parametrize("line", [REFUSED, f"future = {REFUSED}", f"KEPT.append({REFUSED})"])
def test_a_failure_that_nobody_has_looked_at_fails_the_test(run: pytest.Pytester, line: str) -> None:
    run.makepyfile(f"KEPT = []\ndef test_it(vecstore_collection):\n    {line}\n")
    done = run.runpytest_inprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*PointNotFound: no point with id 99*"])
    assert "nobody asked" not in done.stdout.str()


@pytest.mark.parametrize("fixture", ["vecstore_collection_on_disk", "vecstore_factory()"])
def test_so_it_does_with_every_fixture(run: pytest.Pytester, fixture: str) -> None:
    name = fixture.removesuffix("()")
    run.makepyfile(f"def test_it({name}):\n    {fixture}.clear_payload([99])\n")
    done = run.runpytest_inprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*PointNotFound*"])


def test_every_failure_is_told(run: pytest.Pytester) -> None:
    run.makepyfile(f"def test_it(vecstore_collection):\n    {REFUSED}\n    vecstore_collection.clear_payload([98])\n")
    done = run.runpytest_inprocess()
    done.assert_outcomes(failed=1)
    if hasattr(BaseException, "add_note"):
        done.stdout.fnmatch_lines(
            [
                "*no point with id 99*",
                "*operation 1 failed, and the test has not looked at its future*",
                "*and another one: no point with id 98*",
            ]
        )


def test_a_failure_that_is_looked_at_is_fine(run: pytest.Pytester) -> None:
    run.makepyfile(
        f"""
        import asyncio
        import pytest
        from vecstore import AsyncCollection, PointNotFound

        def test_result(vecstore_collection):
            with pytest.raises(PointNotFound):
                {REFUSED}.result()

        def test_exception(vecstore_collection):
            assert {REFUSED}.exception().ids == [99]

        def test_awaited(vecstore_collection):
            async def work():
                col = AsyncCollection.wrap(vecstore_collection)
                with pytest.raises(PointNotFound):
                    await col.clear_payload([99])
                await col.close()
            asyncio.run(work())

        def test_nothing_failed(vecstore_collection):
            for n in range(2500):
                vecstore_collection.upsert([{{"id": n, "vector": [1, 2, 3, 4]}}])

        def test_a_wrong_call(vecstore_collection):
            with pytest.raises(ValueError):
                vecstore_collection.clear_payload([])
        """
    )
    run.runpytest_inprocess().assert_outcomes(passed=5)


def test_one_failure_among_many_operations_is_not_forgotten(run: pytest.Pytester) -> None:
    run.makepyfile(
        f"""
        def test_it(vecstore_collection):
            {REFUSED}
            for n in range(2500):
                vecstore_collection.upsert([{{"id": n, "vector": [1, 2, 3, 4]}}])
                if n % 500 == 0:
                    vecstore_collection.flush()
            assert len(vecstore_collection._futures) <= 2001
        """
    )
    done = run.runpytest_inprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*PointNotFound: no point with id 99*"])


def test_a_collection_that_was_closed_is_looked_at_too(run: pytest.Pytester) -> None:
    run.makepyfile(f"def test_it(vecstore_collection):\n    {REFUSED}\n    vecstore_collection.close()\n")
    run.runpytest_inprocess().assert_outcomes(failed=1)


def test_a_test_that_fails_keeps_its_own_error(run: pytest.Pytester) -> None:
    run.makepyfile(f"def test_it(vecstore_collection):\n    {REFUSED}\n    assert 1 == 2\n")
    done = run.runpytest_inprocess()
    done.assert_outcomes(failed=1, errors=1)
    done.stdout.fnmatch_lines(["*ERROR at teardown*", "*PointNotFound*", "*assert 1 == 2*"])


def test_what_fails_at_teardown_is_told_at_teardown(run: pytest.Pytester) -> None:
    run.makepyfile(
        f"""
        import pytest

        @pytest.fixture
        def cleaned(vecstore_collection):
            yield vecstore_collection
            {REFUSED}

        def test_it(cleaned):
            pass
        """
    )
    done = run.runpytest_inprocess()
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*PointNotFound: no point with id 99*"])


def test_other_tests_are_left_alone(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import gc
        from vecstore import Collection, VectorParams

        def test_it(caplog):
            with Collection(vectors=VectorParams(2, "Dot")) as col:
                col.clear_payload([99])
            gc.collect()
            assert "nobody asked" in caplog.text

        def test_nothing():
            pass
        """
    )
    run.runpytest_inprocess().assert_outcomes(passed=2)


def test_assertions_of_the_conformance_suite_are_explained(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest
        from vecstore import Collection
        from vecstore.testing.conformance import CollectionConformance

        class Broken(Collection):
            def count(self, *args, **options):
                return 7

        class TestBroken(CollectionConformance):
            @pytest.fixture
            def make_collection(self):
                return lambda vectors: Broken(vectors=vectors)
        """
    )
    done = run.runpytest_subprocess("-k", "test_25")
    done.assert_outcomes(failed=1, deselected=139)
    done.stdout.fnmatch_lines(["*assert 7 == 3*"])


def test_the_plugin_is_no_burden(run: pytest.Pytester) -> None:
    run.makepyfile("import sys\ndef test_it():\n    assert 'faiss' not in sys.modules\n")
    run.runpytest_subprocess().assert_outcomes(passed=1)
