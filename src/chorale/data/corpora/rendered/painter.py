"""Drawing a head: OpenGL off the screen, on a graphics card or by Mesa's software."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files as package_files
from typing import Any, Final, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from PIL import Image

from chorale.core.errors import InputError, MissingExtraError
from chorale.data.corpora.rendered.anatomy import LONG_HAIR, SKIN, Anatomy
from chorale.data.corpora.rendered.looks import Look
from chorale.media.video.frames import Frame

Floats = NDArray[np.float32]

_FINER: Final = 2  # Drawn so many times larger and brought down: smooth edges, in software quicker than multisampling.
# The camera stands before the face, a little over a metre away, where perspective flatters.
_CAMERA: Final = (0.0, -0.93, -0.005)
_AIM: Final = (0.0, 0.07, -0.027)
_SEEN_DEGREES: Final = 17.5  # Of the height.
_NECK: Final = (0.0, 0.12, -0.13)  # What the head turns about.
_LAMP: Final = (0.8, -1.1, 0.6)
_LAMP_COLOUR: Final = (0.82, 0.80, 0.77)
_SKY_COLOUR: Final = (0.30, 0.31, 0.34)
# Height of the hairline over the template's depth: low at the nape, high at the brow.
_HAIRLINE: Final = (
    (-0.04, 0.02, 0.05, 0.075, 0.10, 0.14, 0.22),
    (0.068, 0.063, 0.038, 0.003, -0.007, -0.042, -0.077),
)
_FADES_OVER_M: Final = 0.03
_EARS_FROM_M: Final = 0.083
_HAIR_LAYERS: Final = (1.0, 0.86)
_GRAIN_PIXELS: Final = 256
_GRAIN_SEED: Final = 0


class Pose(NamedTuple):
    """How the head is held.

    Attributes:
        yaw: To the speaker's left, radians.
        pitch: Upwards, radians.
        roll: To the speaker's right shoulder, radians.
        shift: ``(2,)``: to the speaker's left and up, metres.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)


class HeadPainter:
    """Draws heads of one anatomy.

    Attributes:
        anatomy: Of all speakers.

    Args:
        anatomy: Of all speakers.
        height: Of a frame, pixels.
        width: Likewise.

    Raises:
        MissingExtraError: moderngl is not installed.
        InputError: There is no OpenGL here.
    """

    def __init__(self, anatomy: Anatomy, height: int, width: int) -> None:
        self._gl, self._context = _opengl()
        self._size = (_FINER * width, _FINER * height)
        self.anatomy = anatomy
        self._faces_of_points = _faces_of_points(anatomy)
        self._program = self._context.program(_source("head.vert"), _source("head.frag"))
        self._textures()
        self._arrays()
        self._canvas = self._context.framebuffer(
            self._context.renderbuffer(self._size, 4), self._context.depth_renderbuffer(self._size)
        )

    @property
    def renderer(self) -> str:
        """What draws, as OpenGL names it."""
        return str(self._context.info["GL_RENDERER"])

    def dress(self, look: Look, lamp_side: float = 1.0) -> None:
        """Set colours and light for the frames that follow.

        Args:
            look: Of the speaker.
            lamp_side: From -1, the light comes from the speaker's right, to 1.
        """
        for name in ("skin", "lips", "iris", "hair", "cloth"):
            self._program[name] = tuple(getattr(look, name))
        self._program["brow_m"] = look.brow_m
        self._program["lamp"] = (_LAMP[0] * lamp_side, *_LAMP[1:])
        self._look = look

    def draw(self, points: Floats, pose: Pose) -> Frame:
        """Return a picture ``(height, width, 3)``.

        Args:
            points: ``(points, 3)``, as the anatomy has them.
            pose: Of the head.
        """
        gl, program = self._gl, self._program
        self._at.write(points[self.anatomy.corners].tobytes())
        self._normal.write(self._normals(points)[self.anatomy.corners].tobytes())
        turn, shift = _turn(pose), np.array([pose.shift[0], 0.0, pose.shift[1]])
        program["turn"].write(turn.T.astype("f4").tobytes())
        program["to_screen"].write((self._to_screen @ _moved(shift)).T.astype("f4").tobytes())
        self._context.enable(gl.DEPTH_TEST)
        self._canvas.use()
        self._canvas.clear(*(self._look.wall ** (1 / 2.2)), 1.0)
        program["shell"], program["shell_m"] = 0, 0.0
        self._head.render()
        program["shell"], program["shell_m"] = 1, self._look.hair_length_m
        self._shell.render()
        if self._look.long_hair:
            for narrower in _HAIR_LAYERS:
                program["narrower"] = narrower
                self._long_hair.render()
        pixels = np.frombuffer(self._canvas.read(components=3, alignment=1), np.uint8)
        # OpenGL's first row is the lowest.
        image = Image.fromarray(pixels.reshape(self._size[1], self._size[0], 3)[::-1]).reduce(_FINER)
        return np.asarray(image)

    def close(self) -> None:
        """Give back what the drawing holds."""
        self._context.release()

    def _normals(self, points: Floats) -> Floats:
        first, second, third = (points[self.anatomy.triangles[:, corner]] for corner in range(3))
        # Longer where a triangle is larger: the mean over neighbours is by area.
        summed = self._faces_of_points @ np.cross(second - first, third - first)
        length = np.linalg.norm(summed, axis=1, keepdims=True)
        normals: Floats = (summed / np.maximum(length, 1e-12)).astype(np.float32)
        return normals

    def _textures(self) -> None:
        masks = self.anatomy.masks
        image = self._context.texture(masks.shape[1::-1], 4, np.ascontiguousarray(masks[::-1]).tobytes())
        image.build_mipmaps()
        image.use(0)
        random = np.random.default_rng(_GRAIN_SEED)
        # Fine and coarse together, as skin and cloth have it.
        fine = random.random((_GRAIN_PIXELS, _GRAIN_PIXELS))
        coarse = np.kron(random.random((_GRAIN_PIXELS // 4,) * 2), np.ones((4, 4)))
        grain = self._context.texture(
            (_GRAIN_PIXELS,) * 2, 1, (127.5 * (fine + coarse)).astype(np.uint8).tobytes(), alignment=1
        )
        grain.build_mipmaps()
        grain.use(1)
        self._program["masks"], self._program["grain"] = 0, 1

    def _arrays(self) -> None:
        anatomy, context = self.anatomy, self._context
        count = len(anatomy.corners)
        self._at, self._normal = (context.buffer(reserve=12 * count, dynamic=True) for _ in range(2))
        hair = _hair(anatomy)
        fixed = [
            (context.buffer(anatomy.texture.tobytes()), "2f", "place"),
            (context.buffer(anatomy.material.astype("f4").tobytes()), "1f", "material"),
            (context.buffer(anatomy.template[anatomy.corners].tobytes()), "3f", "rest"),
            (context.buffer(hair.tobytes()), "1f", "hair"),
        ]
        content = [(self._at, "3f", "at"), (self._normal, "3f", "normal"), *fixed]
        long_hair = (anatomy.material[anatomy.drawn] == LONG_HAIR).all(axis=1)
        hairy = (hair[anatomy.drawn] > 0).any(axis=1)

        def array(triangles: NDArray[np.int32]) -> Any:
            return context.vertex_array(self._program, content, context.buffer(triangles.tobytes()))

        self._head = array(anatomy.drawn[~long_hair])
        self._shell = array(anatomy.drawn[hairy])
        self._long_hair = array(anatomy.drawn[long_hair])
        self._to_screen = _perspective(self._size[0] / self._size[1]) @ _view()
        for name, value in (
            ("pivot", _NECK),
            ("eye", _CAMERA),
            ("lamp_colour", _LAMP_COLOUR),
            ("sky_colour", _SKY_COLOUR),
        ):
            self._program[name] = value


def _opengl() -> tuple[Any, Any]:
    try:
        gl: Any = import_module("moderngl")
    except ImportError as error:
        raise MissingExtraError("moderngl", "render") from error
    try:
        return gl, gl.create_context(standalone=True, backend="egl")
    except Exception as error:  # moderngl raises bare ones.
        raise InputError(
            f"no OpenGL can be opened ({str(error).strip()})", "install libegl1 and libgl1-mesa-dri"
        ) from error


def _source(name: str) -> str:
    return (package_files(__package__) / name).read_text()


def _faces_of_points(anatomy: Anatomy) -> Any:
    """Return the matrix that sums over the triangles of each point ``(points, triangles)``."""
    points, triangles = anatomy.template.shape[0], len(anatomy.triangles)
    where = (anatomy.triangles.ravel(), np.repeat(np.arange(triangles), 3))
    return scipy.sparse.csr_matrix((np.ones(3 * triangles, np.float32), where), shape=(points, triangles))


def _hair(anatomy: Anatomy) -> Floats:
    """Return how much hair grows at each corner: 0 below the hairline, 1 well above it."""
    x, y, z = anatomy.template[anatomy.corners].T
    grown = np.clip((z - np.interp(y, *_HAIRLINE)) / _FADES_OVER_M, 0.0, 1.0)
    grown[(np.abs(x) > _EARS_FROM_M) | (anatomy.material != SKIN)] = 0.0
    hair: Floats = grown.astype(np.float32)
    return hair


def _turn(pose: Pose) -> NDArray[np.float64]:
    """Return the rotation: first about the line of sight, then up, then about the neck's axis."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (pose.yaw, -pose.pitch, pose.roll))
    yaw = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    turned: NDArray[np.float64] = yaw @ pitch @ roll
    return turned


def _moved(by: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix


def _perspective(aspect: float, near: float = 0.1, far: float = 5.0) -> NDArray[np.float64]:
    """Return OpenGL's projection for a view of ``_SEEN_DEGREES``."""
    scale = 1 / np.tan(np.radians(_SEEN_DEGREES) / 2)
    return np.array(
        [
            [scale / aspect, 0, 0, 0],
            [0, scale, 0, 0],
            [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)],
            [0, 0, -1, 0],
        ]
    )


def _view() -> NDArray[np.float64]:
    """Return the matrix from the head's axes to the camera's."""
    forward = np.subtract(_AIM, _CAMERA)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = right, np.cross(right, forward), -forward
    matrix[:3, 3] = -matrix[:3, :3] @ np.array(_CAMERA)
    return matrix
