from pathlib import Path

import numpy as np
import pytest
import soundfile

from chorale.core.errors import InputError
from chorale.data.corpora.festvox_ru import read_labels
from chorale.data.corpora.transcripts import CORPUS_OF_LAYOUT, Phone, read_transcripts

pytestmark = pytest.mark.unit
RATE = 8000


def record(path: Path, seconds: float = 0.1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * RATE), 0.1, np.float32), RATE)
    return path


def ljspeech(root: Path, text: str, names=("LJ001-0001", "LJ002-0001")) -> Path:
    for name in names:
        record(root / "wavs" / f"{name}.wav")
    (root / "metadata.csv").write_text(text, encoding="utf-8")
    return root


def festvox(root: Path, text: str, labels: dict[str, str]) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "lab").mkdir()
    (root / "etc/txt.done.data").write_text(text, encoding="utf-8")
    for name, label in labels.items():
        record(root / "wav" / f"{name}.wav")
        (root / "lab" / f"{name}.lab").write_text(label)
    return root


def read(layout, root, languages=("nl", "cs")):
    return read_transcripts(layout, root, languages, root)


def test_ljspeech_is_read_with_its_normalised_text_and_its_chapters(tmp_path: Path):
    root = ljspeech(tmp_path, "LJ002-0001|In 1465|In fourteen sixty-five\n\nLJ001-0001|a|ä b.\n")
    first, second = read("ljspeech", root)
    assert (first.key, first.group, first.text) == ("LJ002-0001", "LJ002", "In fourteen sixty-five")
    assert (second.speaker, second.language, second.text, second.phones) == ("ljspeech", "en", "ä b.", ())
    assert second.clip.path == root / "wavs/LJ001-0001.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LJ001-0001|a|a\nLJ002-0001|b\n", r"metadata\.csv: line 2: 2 columns, but 3 were expected; write id\|text\|"),
        ("LJ001-0001,a,a\n", r"line 1: 1 column, but 3"),
        ("LJ001-0001|a|  \n", r"line 1: LJ001-0001: the normalised text is empty; write the text"),
        ("LJ001-0001|a|a\nLJ003-0001|b|b\n", r"line 2: LJ003-0001: .*LJ003-0001\.wav is missing; restore"),
        ("LJ001-0001|a|a\nLJ001-0001|b|b\n", r"line 2: LJ001-0001: the id stands twice; remove"),
        ("LJ 1|a|a\n", r"line 1: 'LJ 1' cannot name a recording; write an id without white space"),
        ("../x|a|a\n", r"line 1: '\.\./x' cannot name a recording"),
        ("\n", r"holds no recording with a text; check corpus\.root"),
    ],
)
def test_a_bad_line_of_ljspeech_is_told_with_file_line_and_remedy(tmp_path: Path, text, message):
    with pytest.raises(InputError, match=message):
        read("ljspeech", ljspeech(tmp_path, text))


def test_files_that_are_missing_or_in_another_encoding_are_told(tmp_path: Path):
    with pytest.raises(InputError, match=r"metadata\.csv: no such file; check corpus\.root"):
        read("ljspeech", tmp_path)
    (tmp_path / "metadata.csv").write_bytes("LJ001-0001|a|a\nLJ001-0002|ä|ä\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"line 2: not UTF-8; save the file as UTF-8"):
        read("ljspeech", tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        read("ljspeech", tmp_path / "nothing")
    for layout, corpus in CORPUS_OF_LAYOUT.items():
        with pytest.raises(InputError, match=f"{corpus}: not fetched into .*; run: chorale corpora fetch {corpus}"):
            read_transcripts(layout, None, ("nl",), tmp_path)


def test_festvox_ru_is_read_with_text_phones_and_groups_of_neighbours(tmp_path: Path):
    labels = dict.fromkeys(("ru_0019", "ru_0020", "ru_0021"), "#\n0.02 125 pau\n0.05 125 a\n0.1 125 sh\n")
    text = '( ru_0019 "+Один \\"два\\"." )\n( ru_0020 "Три, четыре" )\n(ru_0021 "Пять" )\n'
    transcripts = read("festvox-ru", festvox(tmp_path, text, labels))
    assert [t.text for t in transcripts] == ['+Один "два".', "Три, четыре", "Пять"]
    assert [t.group for t in transcripts] == ["ru_0000", "ru_0020", "ru_0020"]
    assert {(t.speaker, t.language) for t in transcripts} == {("festvox-ru", "ru")}
    assert transcripts[0].phones == (Phone("pau", 0.0, 0.02), Phone("a", 0.02, 0.05), Phone("sh", 0.05, 0.1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('( ru_0001 "Да" )\nru_0002 Нет\n', r'txt\.done\.data: line 2: not of the form \( name "text" \)'),
        ('( ru_0001 " " )\n', r"line 1: ru_0001: the text is empty"),
        ('( ru_0001 "Да" )\n( ru_0001 "Нет" )\n', r"line 2: ru_0001: the name stands twice"),
        ('( ru_0002 "Да" )\n', r"line 1: ru_0002: .*ru_0002\.wav is missing"),
    ],
)
def test_a_bad_line_of_festvox_is_told_with_file_and_line(tmp_path: Path, text, message):
    with pytest.raises(InputError, match=message):
        read("festvox-ru", festvox(tmp_path, text, {"ru_0001": "#\n0.1 125 a\n"}))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("0.1 125 a\n", "no line # before the labels"),
        ("#\n", "holds no labels"),
        ("#\n0.1 125 a\n0.2 b\n", r"line 3: not a label \(seconds, number, phone\)"),
        ("#\nsoon 125 a\n", "line 2: not a label"),
        ("#\n0.2 125 a\n0.2 125 b\n", "line 3: ends at 0.2 s, not after 0.2 s"),
        ("#\nnan 125 a\n", "line 2: ends at nan s"),
    ],
)
def test_labels_that_are_damaged_are_told_with_file_and_line(tmp_path: Path, labels, message):
    path = tmp_path / "a.lab"
    path.write_text(labels)
    with pytest.raises(InputError, match=rf"a\.lab: {message}"):
        read_labels(path)


def test_a_recording_without_a_label_file_is_told(tmp_path: Path):
    root = festvox(tmp_path, '( ru_0001 "Да" )\n', {"ru_0001": "#\n0.1 125 a\n"})
    (root / "lab/ru_0001.lab").unlink()
    with pytest.raises(InputError, match=r"ru_0001\.lab: no such file"):
        read("festvox-ru", root)


@pytest.fixture
def game(tmp_path: Path) -> Path:
    root = tmp_path / "usr/share/games/fillets-ng"
    scripts = {
        "script/city/dialogs_nl.lua": """
dialogId("vit-m-jak", "font_small", "How (so)?")
dialogStr("Hoe \\"zo\\"?")
-- dialogId("vit-v-proc", "font_big", "Old text")
dialogId("vit-v-proc", "font_big", "Why?")
dialogStr(
"Waarom\\nniet?")
dialogId("vit-hs-brana", "font_statue", "A gate.")
dialogStr("Een poort.")
dialogId("vit-v-hodin", "font_big", "%1 hours")
dialogStr("%1 uur")
dialogId("vit-m-prazdny", "", "")
dialogStr("")
dialogId("vit-m-ticho", "font_small", "Silence")
dialogStr("Stilte")
""",
        "script/share/black_dialogs_nl.lua": 'dialogId("smrt-m-0", "f", "x")\ndialogStr("Dood.")\n',
        "script/city/dialogs_cs.lua": 'dialogId("vit-m-jak", "f", "x")\ndialogStr("Jak?")\n',
        "script/alone/dialogs_de.lua": 'dialogId("a-m-b", "f", "x")\ndialogStr("Ja.")\n',
    }
    for name, text in scripts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    for name in ("vit-m-jak", "vit-v-proc", "vit-hs-brana", "vit-v-hodin", "vit-m-prazdny", "vit-m-bez"):
        record(root / f"sound/city/nl/{name}.ogg")
    record(root / "sound/city/nl/vit-m-ticho.ogg", 0.0)
    record(root / "sound/city/cs/vit-m-jak.ogg")
    record(root / "sound/share/blackjokes/nl/smrt-m-0.ogg")
    return root


def test_the_two_actors_of_each_language_are_read_and_everything_else_is_left_out(game: Path):
    found = [(t.key, t.speaker, t.group, t.text) for t in read("fillets", game)]
    assert found == [
        ("nl/city/vit-m-jak", "fillets-nl-m", "nl-city", 'Hoe "zo"?'),
        ("nl/city/vit-v-proc", "fillets-nl-v", "nl-city", "Waarom niet?"),
        ("nl/share/smrt-m-0", "fillets-nl-m", "nl-share", "Dood."),
        ("cs/city/vit-m-jak", "fillets-cs-m", "cs-city", "Jak?"),
    ]
    assert [t.language for t in read("fillets", game, ("cs",))] == ["cs"]


def test_texts_and_sounds_may_lie_in_different_packages(game: Path, tmp_path: Path):
    from chorale.data.corpora.fillets import find_fillets, read_fillets

    other = tmp_path / "other/usr/share/games/fillets-ng"
    other.mkdir(parents=True)
    (game / "sound").rename(other / "sound")
    roots = find_fillets([tmp_path, tmp_path / "other"])
    assert roots == [game, other]
    assert len(read_fillets(roots, ("nl",))) == 3


def test_a_language_without_texts_or_without_sounds_is_told(game: Path):
    for language, what in (("fr", "no texts in fr"), ("de", "no sounds in de")):
        with pytest.raises(InputError, match=rf"{what}; choose other corpus\.languages"):
            read("fillets", game, (language,))
