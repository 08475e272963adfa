#!/bin/sh
# templates.sh [DIR] puts the chat templates of llama.cpp into DIR (./templates where none is named) and prints its path.
#
# Needs python3 with pip and 100 MB of disk: the 70 files *.jinja lie in the source package of llama-cpp-python 0.3.36
# (77 MB). Its sha256 is checked before anything is unpacked. Where the files are there already, nothing is fetched.
set -eu
exec python3 - "${1:-templates}" <<'PY'
import glob, hashlib, os, shutil, subprocess, sys, tarfile, tempfile

PACKAGE, FILE = "llama-cpp-python", "llama_cpp_python-0.3.36.tar.gz"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
FOLDER, FILES = "llama_cpp_python-0.3.36/vendor/llama.cpp/models/templates/", 70


def fetch(out):
    """Downloads beside out, checks, unpacks, renames."""
    tmp = tempfile.mkdtemp(prefix=".templates-", dir=os.path.dirname(out))
    try:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-binary", PACKAGE, "--dest", tmp, PACKAGE + "==0.3.36"]
        if subprocess.run(pip, stdout=sys.stderr).returncode:
            sys.exit("templates: pip cannot download %s 0.3.36; see its message above" % PACKAGE)
        with open(os.path.join(tmp, FILE), "rb") as f:
            have = hashlib.sha256(f.read()).hexdigest()
        if have != SHA256:
            sys.exit("templates: %s has sha256 %s; want %s" % (FILE, have, SHA256))
        part = os.path.join(tmp, "templates")
        os.mkdir(part)
        with tarfile.open(os.path.join(tmp, FILE)) as t:
            for m in t:
                if m.isfile() and m.name.startswith(FOLDER) and m.name.endswith(".jinja"):
                    with open(os.path.join(part, os.path.basename(m.name)), "wb") as dst:
                        shutil.copyfileobj(t.extractfile(m), dst)
        shutil.rmtree(out, ignore_errors=True)
        os.replace(part, out)
    finally:
        shutil.rmtree(tmp)


out = os.path.abspath(sys.argv[1])
if len(glob.glob(os.path.join(out, "*.jinja"))) != FILES:
    if os.path.exists(out) and any(not f.endswith(".jinja") for f in os.listdir(out)):
        sys.exit("templates: %s has other files: want a folder of its own" % out)
    fetch(out)
print(sys.argv[1])
PY
