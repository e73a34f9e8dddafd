"""Measures of videos as people read them. No heavy imports; works on JSON values alone."""

from __future__ import annotations

from typing import Any

from chorale.experiments.speech2video.metrics.controls import MEASURES


def render(value: Any) -> str:
    """Return the measures as text: one row each, generated and real.

    Args:
        value: What the verb ``metrics`` returns.
    """
    pairs = value["pairs"]
    against = f"{value['generated']} against {value['real']}"
    if len(pairs) == 1:
        lines = [f"{against}: {_frames(pairs[0])}"]
        columns = [pairs[0]["figures"], pairs[0]["real_figures"]]
    else:
        lines = [f"{against}: {len(pairs)} pairs, means and 95 % intervals over them"]
        columns = [value["summary"], value["real_summary"]]
    lines.append(f"{'':<32}{'generated':>26}{'real':>26}")
    for measure in MEASURES:
        if any(measure.name in column for column in columns):
            cells = "".join(f"{_cell(column, measure.name):>26}" for column in columns)
            lines.append(f"{measure.text:<32}{cells}")
    lips = value.get("lips")
    if lips is not None:
        lines.append(f"{'  with another utterance':<32}{_cell(lips, 'shuffled'):>26}")
        lines.append(f"{'  difference':<32}{_cell(lips, 'difference'):>26}")
    faces = value.get("frechet_faces")
    if faces is not None and faces["distance"] is not None:
        lines.append(f"{'Fréchet distance of faces':<32}{faces['distance']:>26.4g}")
        lines.append("(dlib's 128 features, not Inception's: not the FID of published tables)")
    elif faces is not None:
        lines.append(f"Fréchet distance of faces: needs more than {faces['needed']} faces, got {min(faces['faces'])}")
    same = sum(pair["identical_frames"] for pair in pairs)
    if same:
        lines.append(f"{same} frames are identical; they are not in the PSNR")
    if "note" in value:
        lines.append(value["note"])
    return "\n".join(lines)


def _frames(pair: Any) -> str:
    found = pair["frames_with_face"]
    faces = "" if found is None else f", a face in {found}"
    return f"{pair['frames']} frames of {pair['width']} x {pair['height']} at {pair['frames_per_s']:g} a second{faces}"


def _cell(column: Any, name: str) -> str:
    value = column.get(name)
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return f"{value:.3f}"
