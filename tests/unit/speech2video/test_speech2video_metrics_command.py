"""Claims about the verb that measures files: real videos go in, and what is wrong with one is said in a line."""

import argparse
import json

import numpy as np
import pytest
from PIL import Image

from chorale.core.errors import InputError
from chorale.experiments.speech2video.metrics.files import matching
from chorale.experiments.speech2video.metrics.tracks import FaceModels, track
from chorale.experiments.speech2video.metrics_command import compare, metrics_command
from chorale.media.video.write import writing_video

pytestmark = pytest.mark.unit
RATE = 25


def film(path, frames):
    with writing_video(path, RATE) as writer:
        for frame in frames:
            writer.add(frame)
    return path


def noise(count, seed=0, size=(64, 48)):
    """Return smooth frames that differ."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (count, size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return small.repeat(8, axis=1).repeat(8, axis=2)


def astronaut():
    """Return a face as it stands in prepared frames, ``(128, 96, 3)``."""
    picture = pytest.importorskip("skimage.data").astronaut()
    return np.asarray(Image.fromarray(picture[70:198, 174:270]))


@pytest.fixture(scope="module")
def models():
    pytest.importorskip("dlib")
    return FaceModels()


def run(*words):
    command = metrics_command()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    value = command.run(parser.parse_args([str(word) for word in words]))
    json.dumps(value, allow_nan=False)
    return value, command.render(value)


def test_a_video_against_itself_is_as_good_as_can_be(tmp_path):
    path = film(tmp_path / "a.mp4", noise(4))
    value, text = run(path, path, "--no-faces")
    (pair,) = value["pairs"]
    assert (pair["frames"], pair["height"], pair["width"], pair["frames_per_s"]) == (4, 64, 48, 25)
    assert pair["figures"]["ssim"] == pytest.approx(1.0)
    assert (pair["figures"]["psnr_db"], pair["identical_frames"]) == (None, 4)
    assert "4 frames are identical" in text


def test_brighter_by_a_tenth_is_20_db(tmp_path):
    dark, bright = np.full((3, 64, 48, 3), 100, np.uint8), np.full((3, 64, 48, 3), 126, np.uint8)
    value, text = run(film(tmp_path / "a.mp4", dark), film(tmp_path / "b.mp4", bright), "--no-faces")
    # 20 log10(255 / 26) = 19.83; encoding rounds.
    assert value["pairs"][0]["figures"]["psnr_db"] == pytest.approx(19.83, abs=0.4)
    assert "PSNR, dB" in text and "3 frames of 48 x 64 at 25 a second" in text


def test_folders_are_paired_by_name_and_have_intervals(tmp_path):
    for number in range(3):
        film(tmp_path / "real" / f"{number}.mp4", noise(3, number))
        film(tmp_path / "generated" / f"{number}.mp4", noise(3, number + (10 if number else 0)))
    (tmp_path / "real" / "notes.txt").write_text("not a video")
    value, text = run(tmp_path / "real", tmp_path / "generated", "--no-faces")
    assert [pair["generated"].rpartition("/")[2] for pair in value["pairs"]] == ["0.mp4", "1.mp4", "2.mp4"]
    found = [pair["figures"]["ssim"] for pair in value["pairs"]]
    assert found[0] == pytest.approx(1.0) and max(found[1:]) < 0.6
    summary = value["summary"]["ssim"]
    assert summary["mean"] == pytest.approx(np.mean(found))
    assert summary["low"] < summary["mean"] < summary["high"]
    assert "3 pairs" in text


def test_other_sizes_are_told_with_the_way_to_mend_them(tmp_path):
    real, other = film(tmp_path / "a.mp4", noise(2)), film(tmp_path / "b.mp4", noise(2, size=(32, 32)))
    with pytest.raises(InputError, match=r"a.mp4 has frames of 48 x 64, .*b.mp4 of 32 x 32; .*scale=48:64"):
        compare(real, other, faces=False)


def test_other_lengths_are_told_but_one_frame_is_spared(tmp_path):
    real, longer = film(tmp_path / "a.mp4", noise(5)), film(tmp_path / "b.mp4", noise(9))
    with pytest.raises(InputError, match=r"b.mp4 has 9 frames at 25 a second, .*a.mp4 5; .*-t 0.2"):
        compare(real, longer, faces=False)
    assert compare(real, film(tmp_path / "c.mp4", noise(6)), faces=False)["pairs"][0]["frames"] == 5


def test_what_is_missing_or_alone_is_told(tmp_path):
    film(tmp_path / "real" / "a.mp4", noise(2))
    film(tmp_path / "real" / "b.mp4", noise(2))
    film(tmp_path / "generated" / "a.mp4", noise(2))
    with pytest.raises(InputError, match=r"generated has no video of the name b; 1 of 2"):
        matching(tmp_path / "real", tmp_path / "generated")
    with pytest.raises(InputError, match="one is a folder"):
        matching(tmp_path / "real", tmp_path / "generated" / "a.mp4")
    with pytest.raises(InputError, match="no such file or folder"):
        matching(tmp_path / "real", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no videos"):
        matching(tmp_path / "empty", tmp_path / "real")
    (tmp_path / "real" / "a.webm").write_bytes(b"")
    with pytest.raises(InputError, match=r"a.mp4 and a.webm have one name"):
        matching(tmp_path / "real", tmp_path / "generated")


def test_what_is_no_video_is_told(tmp_path):
    (tmp_path / "b.mp4").write_text("not a video")
    with pytest.raises(InputError, match=r"b.mp4: not a readable video"):
        compare(film(tmp_path / "a.mp4", noise(2)), tmp_path / "b.mp4", faces=False)
    with pytest.raises(InputError, match="--every 0"):
        compare(tmp_path / "a.mp4", tmp_path / "a.mp4", every=0)


def test_without_the_extra_the_rest_is_measured(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    path = film(tmp_path / "a.mp4", noise(2))
    value, text = run(path, path)
    assert "chorale[faces]" in value["note"] and value["note"] in text
    assert "lmd_px" not in value["pairs"][0]["figures"]


def test_a_face_that_fills_the_frame_is_found_and_is_one_person(models):
    face = astronaut()
    found = track([face, face, face], models, every=2)
    assert found.points.shape == (3, 68, 2)
    assert np.isfinite(found.points).all()
    assert found.embeddings.shape == (2, 128)
    # Both eyes lie above the mouth, inside the frame.
    assert 0 < found.points[0, 36:48, 1].max() < found.points[0, 48:, 1].min() < 128
    assert np.linalg.norm(found.embeddings[0] - found.embeddings[1]) == pytest.approx(0, abs=1e-6)


def test_where_there_is_no_face_there_are_no_points(models):
    found = track([np.full((64, 48, 3), 90, np.uint8)] * 2, models)
    assert np.isnan(found.points).all() and len(found.embeddings) == 0


def test_faces_are_measured_in_files(models, tmp_path):
    face = astronaut()
    real = film(tmp_path / "a.mp4", [face] * 6)
    moved = film(tmp_path / "b.mp4", [np.roll(face, shift, axis=1) for shift in (0, 0, 2, 2, 0, 0)])
    value, text = run(real, moved, "--every", 1)
    figures = value["pairs"][0]["figures"]
    assert value["pairs"][0]["frames_with_face"] == 6
    assert figures["lmd_px"] < 1.5
    assert figures["acd_euclidean"] < 0.3 and 0 <= figures["acd_cosine"] < 0.05
    assert figures["head_shift"] > value["pairs"][0]["real_figures"]["head_shift"]
    assert figures["blinks_per_min"] == 0
    assert value["frechet_faces"] == {
        "distance": None, "faces": [6, 6], "needed": 128, "features": "dlib face recognition, 128",
    }  # fmt: skip
    assert "needs more than 128 faces, got 6" in text
