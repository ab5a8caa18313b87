from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.corpus.spilled_words import SpilledWords

words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=3)
runs = st.lists(st.dictionaries(words, st.integers(1, 99), min_size=1), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs)
def test_totals_and_ids_are_those_of_all_runs_together(parts) -> None:
    found = SpilledWords(Path())
    total: Counter[str] = Counter()
    names: list[str] = []
    for part in parts:
        assert found.ids == len(names)
        found.add(list(part), np.array(list(part.values()), dtype=np.int64))
        total.update(part)
        names += part
    assert len(found) == len(parts)
    shown = [
        pair
        for words, counts in found.totals()
        for pair in zip(words, counts.tolist(), strict=True)
    ]
    assert shown == sorted(total.items())
    vocabulary = {word: place for place, word in enumerate(list(total)[::2])}
    if parts:
        final = found.final_ids(vocabulary)
        assert final.tolist() == [vocabulary.get(name, -1) for name in names]
        del final
    found.remove()
    assert list(Path().iterdir()) == []
