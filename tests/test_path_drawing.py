import numpy as np
import pytest

from sg_train.reports.drawing import PALETTE, to_bytes
from sg_train.reports.labels import Labels
from sg_train.reports.path_drawing import draw_neighborhoods, draw_path
from sg_train.vectors.paths import WordPath

NAMES = ["1850", "$1900$", "1950"]


def a_path() -> WordPath:
    nothing = [np.nan, np.nan]
    return WordPath(
        "gay",
        np.array([[0.0, 0.0], nothing, [4.0, 2.0]]),
        [["bright", "both"], [], ["both", "lesbian"]],
        ["bright", "both", "lesbian"],
        np.array(
            [
                [[0.5, 1.0], [2.0, 2.5], nothing],
                [[0.7, 1.2], nothing, nothing],
                [[0.9, 1.4], [2.0, 1.5], [4.5, 3.0]],
            ]
        ),
    )


def texts(axes) -> dict[str, str]:
    return {text.get_text(): text.get_color() for text in axes.texts if text.get_text()}


def test_a_path_leads_through_the_spaces_that_have_the_word() -> None:
    figure, left_out = draw_path(a_path(), NAMES, labels=Labels({"bright": "Bright"}))
    assert left_out == []
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "gay"
    assert texts(axes) == {
        "gay 1850": "#000000",
        "gay 1950": "#000000",
        "Bright": PALETTE[0],
        "both": "#666666",
        "lesbian": PALETTE[2],
    }
    offsets = [each.get_offsets() for each in axes.collections]
    points = [each for each in offsets if len(each)]
    # Neighbours lie at their mean place.
    np.testing.assert_allclose(points[0], [[0.7, 1.2], [2.0, 2.0], [4.5, 3.0]])
    np.testing.assert_allclose(points[1], [[0, 0], [4, 2]])
    arrows = [text for text in axes.texts if not text.get_text()]
    assert [(each.xyann, each.xy) for each in arrows] == [
        (pytest.approx([0, 0]), pytest.approx([4, 2]))
    ]
    legend = [text.get_text().strip() for text in axes.get_legend().get_texts()]
    assert legend == ["near in 1850", "near in 1950", "near in several"]


def test_each_space_has_a_panel_of_the_same_plane() -> None:
    figure, left_out = draw_neighborhoods(a_path(), NAMES, "A title")
    assert left_out == []
    first, last = figure.axes
    assert (first.get_title(loc="left"), last.get_title(loc="left")) == ("1850", "1950")
    assert first.get_xlim() == last.get_xlim()
    assert first.get_ylim() == last.get_ylim()
    assert set(texts(first)) == {"gay", "bright", "both"}
    assert set(texts(last)) == {"gay", "both", "lesbian"}
    points = first.collections[0].get_offsets()
    np.testing.assert_allclose(points, np.array([[0, 0], [0.5, 1], [2, 2.5]]))
    points = last.collections[0].get_offsets()
    np.testing.assert_allclose(points, np.array([[4, 2], [2, 1.5], [4.5, 3]]))
    assert last.get_legend() is not None
    assert first.get_legend() is None


@pytest.mark.parametrize("draw", [draw_path, draw_neighborhoods])
def test_the_same_picture_gives_the_same_bytes(draw) -> None:
    one, other = (to_bytes(draw(a_path(), NAMES)[0], "svg") for _ in range(2))
    assert one == other
    assert b"near in" in one
