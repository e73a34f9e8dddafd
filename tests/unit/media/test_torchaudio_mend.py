from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.media.audio.backend import import_torchaudio
from chorale.media.audio.mend import mend

pytestmark = pytest.mark.unit


def test_libraries_are_set_aside_once_and_come_back_with_a_gpu_build(tmp_path: Path):
    for name in ("_torchaudio.so", "libtorchaudio.so", "notes.txt"):
        (tmp_path / name).write_text(name)
    assert "2 compiled libraries set aside" in mend(tmp_path, has_gpu_build=False)
    assert not list(tmp_path.glob("*.so"))
    assert "nothing to mend" in mend(tmp_path, has_gpu_build=False)
    assert "2 compiled libraries put back" in mend(tmp_path, has_gpu_build=True)
    assert (tmp_path / "libtorchaudio.so").read_text() == "libtorchaudio.so"
    assert "nothing to mend" in mend(tmp_path, has_gpu_build=True)


def test_a_failed_import_names_the_remedy():
    with pytest.raises(InputError, match=r"run: python -m chorale\.media\.audio\.mend"):
        import_torchaudio("torchaudio.no_such_module")
