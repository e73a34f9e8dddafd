"""`chorale faces`: what it refuses before anything is decoded, and what it leaves behind."""

import json

import numpy as np
import pytest
import torch

from chorale.cli import faces
from chorale.core.errors import InputError
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit


def film(path, sound=True):
    with writing_video(path, 25, 16000 if sound else None) as writer:
        for number in range(30):
            grey = np.full((96, 96, 3), 4 * number, np.uint8)
            writer.add(grey, 0.1 * torch.sin(torch.arange(640.0)) if sound else None)


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as end:
        faces.main(["align", "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert "chorale faces align clips --out aligned" in said and "layout `folder`" in said


@pytest.mark.parametrize(
    "words, said",
    [
        (["align", "none"], "none: no such directory"),
        (["align", "."], "holds no video"),
        (["align", ".", "--layout", "folder"], "has no clips.csv; write one, or choose --layout videos"),
        (["align", ".", "--out", "aligned"], "choose a folder elsewhere with --out"),
        (["align", ".", "--layout", "lrs2"], "invalid choice"),
        (["align"], "required: DIR"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, monkeypatch, words, said):
    folder = tmp_path / "videos"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=said) as caught:
        faces.main(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--size", "127x96"], "must be even"),
        (["--size", "large"], "height"),
        (["--min-s", "-1"], "quality.min_s"),
        (["--max-offset", "soon"], "quality.max_offset_s"),
    ],
)
def test_options_are_checked_before_anything_is_decoded(tmp_path, words, said):
    film(tmp_path / "videos/one.mp4")
    with pytest.raises(InputError, match=said):
        faces.main(["align", str(tmp_path / "videos"), *words])
    assert not (tmp_path / "videos-aligned").exists()


def test_a_folder_without_faces_gives_a_report_and_is_an_error(tmp_path, capsys):
    pytest.importorskip("dlib")
    film(tmp_path / "videos/ann/one.mp4")
    film(tmp_path / "videos/ann/two.mp4", sound=False)
    with pytest.raises(InputError, match=r"no clip was kept; .*sheet.png shows why"):
        faces.main(["align", str(tmp_path / "videos"), "--json", "--workers", "1"])
    told = json.loads(capsys.readouterr().out)
    assert told["clips"] == 2 and told["dropped"] == {"no face": 1, "no sound": 1} and told["done_now"] == 2
    assert {path.name for path in (tmp_path / "videos-aligned").iterdir()} == {
        "clips.csv",
        "records",
        "report.csv",
        "report.json",
        "sheet.png",
    }
