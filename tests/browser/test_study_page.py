import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chorale.experiments.speech2video.study.analysis import analyse
from chorale.experiments.speech2video.study.answers import read_answers
from chorale.experiments.speech2video.study.page import make_page
from chorale.experiments.speech2video.study.plan import Study
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.browser

_PAIRS = 6


def film(path: Path, level: int) -> str:
    with writing_video(path, 25, 16000) as writer:
        for _ in range(10):
            writer.add(np.full((64, 48, 3), level, np.uint8), torch.zeros(640))
    return str(path)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("films")
    pairs = tuple(
        {
            "name": f"p{number}",
            "first_system": "ours",
            "first_video": film(folder / f"ours-{number}.mp4", 220),
            "second_system": "still",
            "second_video": film(folder / f"still-{number}.mp4", 30),
            "emotion": "happy",
        }
        for number in range(_PAIRS)
    )
    return Study.model_validate({"title": "Which?", "seed": 5, "emotions": ("happy", "sad"), "pairs": pairs})


@pytest.fixture(scope="module")
def page_path(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(study, tmp_path_factory.mktemp("study"))


def brightness(page: Any, side: str) -> float:
    """Return how bright the video on a side is, once it shows a picture."""
    page.wait_for_function(f"document.getElementById('{side}').readyState >= 2")
    found: float = page.evaluate(
        """side => {
          const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
          context.drawImage(document.getElementById(side), 0, 0);
          return context.getImageData(5, 5, 1, 1).data[0];
        }""",
        side,
    )
    return found


def begin(browser: Any, page_path: Path, listener: str) -> tuple[Any, list[str]]:
    page = browser.new_page(viewport={"width": 390, "height": 800}, accept_downloads=True)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url.startswith("http") else None)
    page.goto(page_path.as_uri())
    page.get_by_label("Your name or number").fill(listener)
    page.get_by_role("button", name="Begin").click()
    return page, troubles


def answer_all(page: Any) -> list[str]:
    """Always choose the brighter video; return on which side it was."""
    sides = []
    for number in range(1, _PAIRS + 1):
        assert page.get_by_role("status").inner_text() == f"Pair {number} of {_PAIRS}"
        side = "left" if brightness(page, "left") > brightness(page, "right") else "right"
        other = "right" if side == "left" else "left"
        sides.append(side)
        page.locator(f"input[name=natural][value={side}]").check()
        page.locator("input[name=same_person][value=no]").check()
        page.locator(f"input[name=emotion_{side}][value=happy]").check()
        page.locator(f"input[name=emotion_{other}][value=sad]").check()
        page.get_by_role("button", name="Next").click()
    return sides


def save(page: Any, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the answers").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_what_a_listener_answers_is_what_the_analysis_reads(
    browser: Any, page_path: Path, study: Study, tmp_path: Path
) -> None:
    orders = {}
    files = []
    for listener in ("ann", "bob"):
        page, troubles = begin(browser, page_path, listener)
        sides = answer_all(page)
        files.append(save(page, tmp_path))
        assert files[-1].name == f"answers-{study.name}-{listener}.csv"
        assert troubles == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        with files[-1].open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert sides == ["left" if row["left"] == "a" else "right" for row in rows]
        assert [row["position"] for row in rows] == [str(number) for number in range(1, _PAIRS + 1)]
        orders[listener] = [(row["pair"], row["left"]) for row in rows]
        page.close()

    found = analyse(read_answers(files, study), study)

    # Whoever chooses the brighter one has chosen ours, wherever it stood.
    assert (found.listeners, found.answers) == (2, 2 * _PAIRS)
    assert found.preferences[0][:2] == ("ours", "still")
    assert (found.preferences[0].natural.share, found.preferences[0].same_person.share) == (1.0, 0.0)
    assert {one.system: one.accuracy.share for one in found.emotions} == {"ours": 1.0, "still": 0.0}
    assert orders["ann"] != orders["bob"]
    assert {side for order in orders.values() for _, side in order} == {"a", "b"}


def test_a_pair_must_be_answered_whole_and_a_reload_loses_nothing(browser: Any, page_path: Path) -> None:
    page, _ = begin(browser, page_path, "cid")
    page.get_by_role("button", name="Next").click()
    assert page.get_by_role("status").inner_text() == f"Pair 1 of {_PAIRS}"
    for name in ("natural", "same_person", "emotion_left", "emotion_right"):
        page.locator(f"input[name={name}]").first.check()
    page.get_by_role("button", name="Next").click()
    shown = page.get_attribute("#left", "src")

    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.get_by_label("Your name or number").fill("cid")
    page.get_by_role("button", name="Begin").click()

    assert page.get_by_role("status").inner_text() == f"Pair 2 of {_PAIRS}"
    assert page.get_attribute("#left", "src") == shown


def test_a_name_that_a_file_cannot_have_is_not_taken(browser: Any, page_path: Path) -> None:
    page, _ = begin(browser, page_path, "../x")

    assert page.locator("#ask").is_hidden()
    assert re.fullmatch(r".+", page.evaluate("document.getElementById('listener').validationMessage"))
