"""Make torchaudio importable on a machine without CUDA: ``python -m chorale.media.audio.mend``.

torchaudio's wheels carry compiled libraries that are linked against CUDA. Beside a CPU build of torch they cannot be
loaded, and ``import torchaudio`` fails with them. All that is used here (resampling, MFCC, mel filters) is Python on
torch operations, so on such a machine the libraries are set aside: renamed, not deleted, and put back when torch is a
GPU build later.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from chorale.core.errors import ChoraleError, InputError

_SUFFIX = ".set-aside"


def mend(libraries: Path, has_gpu_build: bool) -> str:
    """Set torchaudio's compiled libraries aside, or put them back, and say what was done.

    Args:
        libraries: torchaudio's folder ``lib``.
        has_gpu_build: Whether torch is a GPU build.

    Returns:
        One line for the user.

    Raises:
        InputError: The folder cannot be written.
    """
    pattern = f"*.so{_SUFFIX}" if has_gpu_build else "*.so"
    found = sorted(libraries.glob(pattern))
    try:
        for path in found:
            new_name = path.name.removesuffix(_SUFFIX) if has_gpu_build else path.name + _SUFFIX
            path.replace(path.with_name(new_name))
    except OSError as error:
        raise InputError(f"{libraries}: cannot be written ({error.strerror})", "run this as its owner") from error
    build = "GPU" if has_gpu_build else "CPU"
    if not found:
        return f"torchaudio: nothing to mend (torch is a {build} build)"
    action = "put back" if has_gpu_build else "set aside (they want CUDA)"
    return f"torchaudio: {len(found)} compiled libraries {action}: torch is a {build} build"


def main() -> int:
    """Mend this environment's torchaudio; return the exit status."""
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or not spec.submodule_search_locations:
        print("torchaudio: not installed, nothing to mend")
        return 0
    import torch

    libraries = Path(next(iter(spec.submodule_search_locations))) / "lib"
    try:
        print(mend(libraries, torch.version.cuda is not None or torch.version.hip is not None))
    except ChoraleError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
