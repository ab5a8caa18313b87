import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from sg_train.errors import MissingLibraryError
from sg_train.reports.drawing import PALETTE, to_bytes
from sg_train.reports.labels import Labels
from sg_train.reports.map_drawing import draw_map, legend_of, plot_map
from sg_train.vectors.word_map import WordMap
from sg_train.vectors.word_vectors import WordVectors


def word_map(count: int = 60) -> WordMap:
    generator = np.random.default_rng(1)
    names = [f"word{i}" for i in range(count - 1)] + ["東京"]
    return WordMap(names, generator.normal(size=(count, 2)), np.arange(count) % 5)


def test_labels_on_the_map_do_not_overlap() -> None:
    figure, left_out = draw_map(word_map(), "title")
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.texts]
    assert len(boxes) + len(left_out) == 60
    assert len(boxes) > 40
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    crowded = WordMap(["a"] * 50, np.zeros((50, 2)), np.zeros(50, dtype=np.int64))
    assert len(draw_map(crowded)[1]) > 20


def test_dollars_are_no_markup() -> None:
    words = WordMap(
        ["$\\frac$", "$a$", "_b"], np.eye(3, 2), np.zeros(3, dtype=np.int64)
    )
    svg = to_bytes(draw_map(words, "$x^$")[0], "svg").decode()
    assert "$\\frac$" in svg
    assert "$a$" in svg


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_the_same_picture_gives_the_same_bytes(form: str) -> None:
    one, other = (to_bytes(draw_map(word_map())[0], form) for _ in range(2))
    assert one == other


def test_without_matplotlib_there_is_one_line(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        MissingLibraryError, match="drawing needs matplotlib, .*'sg-train.plot.'$"
    ):
        draw_map(word_map())


def grouped() -> WordMap:
    clusters = np.array([0, 1, -1, 1])
    places = np.array([[0, 0], [1, 1], [1, 0], [0.0, 1.0]])
    return WordMap(["SKU1", "SKU2", "x", "y"], places, clusters, [["shoes"], ["_$a"]])


def test_a_legend_says_what_colours_mean() -> None:
    labels = Labels({"SKU1": "Red shoes", "x": "$"})
    assert legend_of(grouped(), labels) == [
        (PALETTE[0], "shoes"),
        (PALETTE[1], "_$a"),
        ("#888888", "other words"),
    ]
    central = WordMap(["SKU1", "b"], np.eye(2), np.arange(2), [["SKU1"], ["b", "x"]])
    assert [name for _, name in legend_of(central, labels)] == ["Red shoes", "b, $"]
    one = WordMap(["a", "b"], np.eye(2), np.zeros(2, dtype=np.int64), [["a", "b"]])
    assert legend_of(one) == []
    figure, left_out = draw_map(grouped(), labels=labels)
    (axes,) = figure.axes
    assert left_out == []
    shown = [text.get_text().strip() for text in axes.get_legend().get_texts()]
    assert shown == ["shoes", "_$a", "other words"]
    assert {text.get_text(): text.get_color() for text in axes.texts} == {
        "Red shoes": PALETTE[0],
        "SKU2": PALETTE[1],
        "$": "#888888",
        "y": PALETTE[1],
    }


def test_no_label_lies_on_the_legend() -> None:
    figure, _ = draw_map(
        WordMap(
            *(word_map().words, word_map().places, word_map().clusters),
            [[f"title{number}"] for number in range(5)],
        )
    )
    (axes,) = figure.axes
    box = axes.get_legend().get_window_extent()
    assert not any(box.overlaps(text.get_window_extent()) for text in axes.texts)


def test_a_map_is_drawn_on_axes(caplog) -> None:
    generator = np.random.default_rng(5)
    names = [f"word{'abcdefghij'[row]}" for row in range(10)]
    vectors = WordVectors(names, generator.normal(size=(10, 4)).astype(np.float32))
    _, mine = plt.subplots()
    axes = plot_map(vectors, names[:5], title="t", axes=mine)
    assert axes is mine
    assert {text.get_text() for text in axes.texts} == {*names[:5]}
    assert axes.get_title(loc="left") == "t"
    labels = Labels({"worda": "A"}, {"worda": "one", "wordb": "two"})
    axes = plot_map(vectors, labels=labels)
    assert len(axes.texts) == 10
    shown = [text.get_text().strip() for text in axes.get_legend().get_texts()]
    assert shown == ["one", "two", "other words"]
    plt.close("all")
