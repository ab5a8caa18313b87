import re
from pathlib import Path

import pytest
from PIL import Image

from sg_train.errors import OutputError
from sg_train.reports.drawing import save_figure
from sg_train.reports.map_drawing import draw_map
from tests.test_map_drawing import word_map


def test_pictures_are_written_by_their_ending() -> None:
    figure, _ = draw_map(word_map())
    save_figure(figure, Path("map.png"))
    with Image.open("map.png") as image:
        assert image.size == (1650, 1200)
    save_figure(figure, Path("map.svg"))
    svg = Path("map.svg").read_text()
    assert set(re.findall(r">(word\d+)<", svg)) >= {"word0", "word1"}
    save_figure(figure, Path("map.pdf"))
    assert Path("map.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(
        OutputError, match="map.jpg: unknown kind of picture; the name must end in .png"
    ):
        save_figure(figure, Path("map.jpg"))
