"""Mesa's renderer by package, for machines without OpenGL and without root: unpacked, not installed.

Drawing then runs in a process of its own, whose environment says where everything lies.
"""

from __future__ import annotations

import os
from ctypes.util import find_library
from pathlib import Path
from typing import Final

from chorale.core.errors import InputError
from chorale.data.corpora.packages import Package

_LIBRARIES: Final = Path("usr/lib/x86_64-linux-gnu")
# Name, version, bytes and SHA-256 of Mesa's packages and of those that they need, of Debian 12 for x86-64.
_PINNED: Final = (
    ("libegl1", "1.6.0-1", 33652, "fe4d8b39f6e6fe1a32ab1efd85893553eaa9cf3866aa668ccf355f585b37d523"),
    ("libglvnd0", "1.6.0-1", 51820, "b6da5b153dd62d8b5e5fbe25242db1fc05c068707c365db49abda8c2427c75f8"),
    ("libegl-mesa0", "22.3.6-1+deb12u2", 114116, "731a406af777d0606dc932da21c2214f189069caa437b8bb4063c328bab840ca"),
    ("libgbm1", "22.3.6-1+deb12u2", 38132, "4323840f2b7b3e108990848529125d99c0956ae5a854c1e0568ed08c8faeaa2e"),
    (
        "libgl1-mesa-dri",
        "22.3.6-1+deb12u2",
        7239704,
        "350e4263aaacd521f6f757951262b57c003930edaf0419508f2c5675317577fe",
    ),
    ("libglapi-mesa", "22.3.6-1+deb12u2", 35900, "2db5b13a6b7f4042f9a417ad7fa4338b6c47528dc64d7f89cfd5e53d07d76bc4"),
    ("libllvm15", "1:15.0.6-4+b1", 23115156, "9f0751109ba89e65b1313a4f3e34a29977a0db6fa30ed475e2c6bd555fa9e866"),
    ("libdrm2", "2.4.114-1+b1", 37472, "be18fb670797ba32da9628cf3e8acd83160d8db8c8dd842501dd8e401c3b5371"),
    ("libdrm-amdgpu1", "2.4.114-1+b1", 20864, "b75a71e96f1faac0f131ac657e09efcbe8968eef62cc34b8abfcff2ff9f0cccd"),
    ("libdrm-radeon1", "2.4.114-1+b1", 21848, "2da3a9233187f995ad5a3e6db3d37252ea7209f0ca9605484d03478ebcc15feb"),
    ("libdrm-nouveau2", "2.4.114-1+b1", 19064, "ba59bb9ec6e1baf59fc4d4eb095a524e40d045af2413dad9d28df517005388b6"),
    ("libdrm-intel1", "2.4.114-1+b1", 64032, "b0e39318d14c07f4d85668b6da7f66a1341addf87a47d785c34d5a8b393f544c"),
    ("libpciaccess0", "0.17-2", 51384, "4025f3608cf431c163efb94fdc553e7b93e16b8f0d741ea87762e19025ffc80e"),
    ("libelf1", "0.188-2.1", 173796, "619add379c606b3ac6c1a175853b918e6939598a83d8ebadf3bdfd50d10b3c8c"),
    ("libsensors5", "1:3.6.0-7.1", 34160, "b7eb91dce728fbb9203aec8b22637303b29821c3384e5f78a8ff348b4e44efe3"),
    ("libwayland-client0", "1.21.0-1", 28320, "1f002d028b8b79eec9847c636d8886d10dfe8c884cc2bebe18086b1391c5a28d"),
    ("libwayland-server0", "1.21.0-1", 35876, "df0396221d7b794496a687ec61fae82b6465648bc0ab6501ba0a5ed7f56eb8d6"),
    ("libx11-xcb1", "2:1.8.4-2+deb12u2", 192356, "f5da45e1d881a793250a96613f28c471a248877f1a0f18a5c90e2a620a76c898"),
    ("libx11-6", "2:1.8.4-2+deb12u2", 759544, "d88c973e79fd9b65838d77624142952757e47a6eb1a58602acf0911cf35989f4"),
    ("libxcb1", "1.15-1", 144052, "fdc61332a3892168f3cc9cfa1fe9cf11a91dc3e0acacbc47cbc50ebaa234cc71"),
    ("libxau6", "1:1.0.9-1", 19720, "679db1c4579ec7c61079adeaae8528adeb2e4bf5465baa6c56233b995d714750"),
    ("libxdmcp6", "1:1.1.2-3", 26344, "ecb8536f5fb34543b55bb9dc5f5b14c9dbb4150a7bddb3f2287b7cab6e9d25ef"),
    ("libbsd0", "0.11.7-2", 117416, "bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b"),
    ("libmd0", "1.0.4-2", 29456, "03539fd30c509e27101d13a56e52eda9062bdf1aefe337c07ab56def25a13eab"),
    ("libxcb-dri2-0", "1.15-1", 106792, "ef4959aa9e09a0d38d1de432e747585129d5d2dc1d84c8b6b3d2ffc3708b5805"),
    ("libxcb-dri3-0", "1.15-1", 106676, "02699b144b9467de8636d27a76984b8f4e7b66e2d25d96df2b9677be86ee9a29"),
    ("libxcb-glx0", "1.15-1", 122392, "1bce55fc292d93fa5f7fa50f84cef99ec29be70d0ffe98e86b8008e59f4a34fa"),
    ("libxcb-present0", "1.15-1", 105420, "89383e627a4d17b9390d609b2459481bfd2029566367b43068586769e418b6e5"),
    ("libxcb-randr0", "1.15-1", 116680, "f86e3d8ff8622871008833e9d064919b7a6237399c903c59fc330ff00f199ff5"),
    ("libxcb-shm0", "1.15-1", 105472, "c1afcef29dc78b95c475159b181b28b1dedaf1d5aa06efd2fa6d90c73bfbe0e5"),
    ("libxcb-sync1", "1.15-1", 108692, "3366ce715220d38dd0148b78a8e738137bade25ef7eec0698850c6f66800844f"),
    ("libxcb-xfixes0", "1.15-1", 109368, "d744a7ebad2cbcf301c96cd6a1ab3ee856e436fc7be5cff5b7c28ac2ac181a64"),
    ("libxshmfence1", "1.3-1", 8820, "1a38142e40e3d32dc4f9a326bf5617363b7d9b4bb762fdcdd262f2192092024d"),
    ("libedit2", "3.1-20221030-2", 92992, "1cf14abf2716d3279db12d0657a5737cf70074a1e71d3bdf73206625e3c89ce6"),
    ("libz3-4", "4.8.12-3.1", 7216172, "6221ca25ad5abcfbe1965801029d85a88b4775320384b4b716de8fab7a4d2f7a"),
    ("libxml2", "2.9.14+dfsg-1.3~deb12u6", 688760, "4460e39dda10a815881374217cde08474747cfa018358cd8612c14b390eff53b"),
    ("libicu72", "72.1-3+deb12u1", 9376124, "f7f6f99c6d7b025914df2447fc93e11d22c44c0c8bdd8b6f36691c9e7ddcef88"),
    ("libexpat1", "2.5.0-1+deb12u5", 107940, "cae5ded666d8573dd33060bc66fbac21eea8b101a6b56e2af8bd590fcfa65d79"),
    ("libffi8", "3.4.4-1", 22856, "6d9f6c25c30efccce6d4bceaa48ea86c329a3432abb360a141f76ac223a4c34a"),
    ("libgl1", "1.6.0-1", 88448, "6f89b1702c48e9a2437bb3c1ffac8e1ab2d828fc28b3d14b2eecd4cc19b2c790"),
    ("libglx0", "1.6.0-1", 34384, "95f568df73dedf43ae66834a75502112e0d4f3ad7124f3dbfa790b739383b896"),
)

MESA: Final = tuple(
    Package(
        source="debian",
        name=name,
        version=version,
        sha256=sha256,
        bytes=size,
        licence="MIT and other free licences",
        what="part of OpenGL in software",
    )
    for name, version, size, sha256 in _PINNED
)
"""What is unpacked."""


def has_opengl() -> bool:
    """Say whether this machine has OpenGL without a display (EGL) installed."""
    return find_library("EGL") is not None and find_library("GL") is not None


def drawing_environment(cache: Path) -> dict[str, str]:
    """Return what a process needs in its environment to draw here; nothing where OpenGL is installed.

    Args:
        cache: Of the user.

    Raises:
        InputError: It is neither installed nor fetched.
    """
    if has_opengl():
        return {}
    if not all(package.is_fetched(cache) for package in MESA):
        raise InputError(
            "no OpenGL here to draw with",
            "run: chorale corpora fetch mesa; or, as root, install libegl1 and libgl1-mesa-dri",
        )
    return unpacked_environment(cache)


def unpacked_environment(cache: Path) -> dict[str, str]:
    """Return the environment for the unpacked Mesa, wherever OpenGL is installed besides."""
    roots = {package.name: package.folder(cache) for package in MESA}
    folders = [str(root / _LIBRARIES) for root in roots.values()]
    before = os.environ.get("LD_LIBRARY_PATH")
    return {
        "LD_LIBRARY_PATH": ":".join(folders + ([before] if before else [])),
        "LIBGL_DRIVERS_PATH": str(roots["libgl1-mesa-dri"] / _LIBRARIES / "dri"),
        "__EGL_VENDOR_LIBRARY_DIRS": str(roots["libegl-mesa0"] / "usr/share/glvnd/egl_vendor.d"),
        "GLCONTEXT_LINUX_LIBEGL": str(roots["libegl1"] / _LIBRARIES / "libEGL.so.1"),
        "GLCONTEXT_LINUX_LIBGL": str(roots["libgl1"] / _LIBRARIES / "libGL.so.1"),
    }
