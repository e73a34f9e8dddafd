import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.data.corpora.rendered.mouth import TimedViseme, closure, mouth_curves
from chorale.data.corpora.rendered.visemes import SHAPES, espeak_viseme, festvox_viseme

pytestmark = pytest.mark.unit
FRAMES_PER_S = 25
MAMA = [
    TimedViseme("closed", 0.0, 0.12),
    TimedViseme("a", 0.12, 0.36),
    TimedViseme("closed", 0.36, 0.44),
    TimedViseme("a", 0.44, 0.80),
]


def test_lips_are_closed_as_long_as_m_b_or_p_is_spoken_and_nothing_opens_them():
    curves = mouth_curves(MAMA, 20, FRAMES_PER_S, openness=1.5)
    middles_s = (np.arange(20) + 0.5) / FRAMES_PER_S
    spoken = (middles_s < 0.12) | ((middles_s > 0.36) & (middles_s < 0.44))
    assert spoken.sum() == 5
    assert np.all(curves["jawOpen"][spoken] == 0) and np.all(curves["mouthLowerDownLeft"][spoken] == 0)
    assert np.all(curves["mouthPressLeft"][spoken] >= SHAPES["closed"].actions["mouthPressLeft"])


def test_the_mouth_is_open_on_vowels():
    curves = mouth_curves(MAMA, 20, FRAMES_PER_S)
    assert curves["jawOpen"][5] > 0.7 * SHAPES["a"].actions["jawOpen"]
    assert curves["jawOpen"][15] > 0.9 * SHAPES["a"].actions["jawOpen"]


def test_closure_falls_off_linearly_over_the_time_that_lips_need():
    once = [TimedViseme("closed", 1.0, 1.1)]
    at_s = np.array([0.9, 0.9775, 1.0, 1.05, 1.1, 1.1225, 1.2])
    np.testing.assert_allclose(closure(once, at_s), [0, 0.5, 1, 1, 1, 0.5, 0], atol=1e-9)


def test_two_phones_share_a_frame_by_their_dominance():
    # The frame's middle is 20 ms from both phones' inner part: distances are equal, so strengths alone decide.
    a, u = TimedViseme("a", 0.0, 0.08), TimedViseme("u", 0.08, 0.16)
    (share,) = mouth_curves([a, u], 1, 1 / 0.16)["mouthPucker"]
    strengths = SHAPES["a"].strength, SHAPES["u"].strength
    assert share == pytest.approx(SHAPES["u"].actions["mouthPucker"] * strengths[1] / sum(strengths), rel=1e-6)


def test_a_long_phone_reaches_its_shape():
    curves = mouth_curves([TimedViseme("o", 0.0, 2.0)], 50, FRAMES_PER_S)
    for name, value in SHAPES["o"].actions.items():
        np.testing.assert_allclose(curves[name], value, rtol=1e-6)


@pytest.mark.parametrize(
    ("phone", "viseme"),
    [
        ("m", "closed"),
        ("b", "closed"),
        ("p", "closed"),
        ("p;", "closed"),
        ("f", "lip-teeth"),
        ("A", "a"),
        ("_:", "rest"),
    ],
)
def test_espeak_phones_have_the_viseme_that_lip_readers_see(phone, viseme):
    assert espeak_viseme(phone) == viseme


def test_a_mark_of_palatalisation_is_no_phone_of_its_own():
    assert espeak_viseme(";") is None


def test_every_label_of_festvox_has_a_viseme_and_others_are_told():
    labels = (
        "pau a ay i aa oo ae t n j s r k ee v l p ll m ii nn d u tt rr z e ss uu g b sh vv ch zh f dd h mm y yy c "
        "pp ur kk sch bb zz gg ff hh"
    )
    assert {festvox_viseme(label) for label in ("m", "mm", "b", "bb", "p", "pp")} == {"closed"}
    assert all(festvox_viseme(label) in SHAPES for label in labels.split())
    with pytest.raises(InputError, match="no phone of festvox-ru"):
        festvox_viseme("xx")
