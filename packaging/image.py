"""Builds the image from packaging/image/Dockerfile and saves it as dist/emailrouter-VERSION-image-ARCH.tar.gz.

Usage: python packaging/image.py [--tool docker|podman|buildah] [--base IMAGE | --local-base] [--authority FILE]

The base image is pulled. With --local-base, or if it cannot be pulled, mmdebstrap makes it from Debian's packages: the
same release and the same variant. Everything after the base image is the Dockerfile in both cases.
"""

from __future__ import annotations

import argparse
import gzip
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from checkout import ROOT, PackagingError, find_tools, run, version

RELEASE = "trixie"
BASE = f"debian:{RELEASE}-slim"
LOCAL_BASE = f"localhost/emailrouter-base:{RELEASE}"
NAME = "localhost/emailrouter"
DOCKERFILE = ROOT / "packaging" / "image" / "Dockerfile"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def choose_tool() -> str:
    """Returns the first tool that works: docker needs its daemon."""
    for tool, probe in (("docker", "info"), ("podman", "version"), ("buildah", "version")):
        if shutil.which(tool) and subprocess.run([tool, probe], capture_output=True, check=False).returncode == 0:
            return tool
    raise PackagingError("none of docker, podman and buildah works")


def make_local_base(tool: str, mirror: str | None, folder: Path) -> str:
    """Makes the base image with mmdebstrap. The options are those of Debian's slim images: no documentation."""
    find_tools("mmdebstrap")
    archive = folder / "base.tar"
    slim = [
        f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale", "groff", "lintian")
    ]
    keep = "--dpkgopt=path-include=/usr/share/doc/*/copyright"
    run("mmdebstrap", "--variant=minbase", *slim, keep, RELEASE, archive, *([mirror] if mirror else []))
    if tool == "buildah":
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", "--quiet", container, archive, "/")
        run("buildah", "config", "--cmd", "bash", container)
        run("buildah", "commit", "--quiet", "--rm", container, LOCAL_BASE)
    else:
        run(tool, "import", "--change", "CMD bash", archive, LOCAL_BASE)
    return LOCAL_BASE


def choose_base(tool: str, arguments: argparse.Namespace, folder: Path) -> str:
    if arguments.base:
        return str(arguments.base)
    if not arguments.local_base:
        try:
            run(tool, "pull", BASE)
        except PackagingError as error:
            reason = str(error).splitlines()[-1]
            print(f"{BASE} cannot be pulled ({reason}): mmdebstrap makes the base image", file=sys.stderr)
        else:
            return BASE
    return make_local_base(tool, arguments.mirror, folder)


def authority_options(tool: str, authority: Path | None, folder: Path) -> list[str]:
    """Returns the options that let pip trust a private authority during the build, without a trace in the image."""
    if authority is None:
        return []
    if tool == "docker":
        raise PackagingError("--authority works only with podman and buildah")
    pip = folder / "pip.conf"
    pip.write_text("[global]\ncert = /run/authority.pem\n", encoding="utf-8")
    return [f"--volume={pip}:/etc/pip.conf:ro", f"--volume={authority.resolve()}:/run/authority.pem:ro"]


def build(tool: str, base: str, tags: list[str], options: list[str]) -> None:
    command = [tool, "build", f"--file={DOCKERFILE}", f"--build-arg=BASE={base}", f"--build-arg=VERSION={version()}"]
    if tool != "docker":
        # The OCI format has no HEALTHCHECK. These tools read the ignore file beside a Dockerfile only if it is named.
        command += ["--format=docker", "--layers=false", f"--ignorefile={DOCKERFILE}.dockerignore"]
    run(*command, *options, *[f"--tag={tag}" for tag in tags], ROOT)


def save(tool: str, tag: str, target: Path) -> None:
    """Saves the image in the format of `docker save`, which `docker load` and `podman load` read."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tar") as archive:
        Path(archive.name).unlink()  # podman does not overwrite an archive
        if tool == "buildah":
            run("buildah", "push", "--quiet", tag, f"docker-archive:{archive.name}:{tag}")
        else:
            run(tool, "save", *(["--format=docker-archive"] if tool == "podman" else []), "-o", archive.name, tag)
        with Path(archive.name).open("rb") as plain, gzip.GzipFile(target, "wb", 6, mtime=0) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make image")
    parser.add_argument("--tool", choices=("docker", "podman", "buildah"), help="default: the first one that works")
    parser.add_argument("--base", help=f"base image (default: {BASE}, else one made by mmdebstrap)")
    parser.add_argument("--local-base", action="store_true", help="make the base image with mmdebstrap")
    parser.add_argument("--mirror", help="URL of the Debian mirror for mmdebstrap")
    parser.add_argument("--authority", type=Path, help="PEM file of the authority of a private Python registry")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the archive (default: dist)")
    arguments = parser.parse_args()
    tool = arguments.tool or choose_tool()
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    tag = f"{NAME}:{version()}"
    target = arguments.output / f"emailrouter-{version()}-image-{architecture}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        base = choose_base(tool, arguments, Path(folder))
        build(tool, base, [tag], authority_options(tool, arguments.authority, Path(folder)))
        save(tool, tag, target)
    print(f"{tag} and {target}, from {base}, by {tool}")


if __name__ == "__main__":
    try:
        main()
    except PackagingError as failure:
        sys.exit(f"image: {failure}")
