"""MovieLens latest-small: 100,836 real ratings by 610 users of 9,742 movies, 1996 to 2018, from GroupLens.

Here: the download and the hashes of its files. Not here: the terms of use (``sample``).
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from cinematch_assets.samples.sample import MOVIELENS_LATEST_LICENCE, Sample, SampleError
from cinematch_assets.storage.atomic_file import unfinished_folder

URL = "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
# GroupLens replaced the set under this name before and may do so again: these are the files of 26 September 2018.
SHA256 = {
    "links.csv": "97ad18e4e56a09363c65676b6cb3482ce3e2cea2372a24620c1599c843325f31",
    "movies.csv": "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
    "ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
    "tags.csv": "92a9f8bb7916dceef6151209845788c3643f794dfa79d1feaec7121b5960399d",
}
MAX_BYTES = 64 * 1024**2
TIMEOUT_S = 30


def fetch_ml_latest_small(
    cache: Path, *, url: str = URL, sha256: Mapping[str, str] = SHA256, max_bytes: int = MAX_BYTES
) -> Sample:
    """Return MovieLens latest-small in ``cache/ml-latest-small``; fetch it when it is not there yet.

    Raises:
        SampleError: No network, no zip file, one larger than ``max_bytes``, or files with other hashes.
    """
    folder = cache / "ml-latest-small"
    if not folder.is_dir():
        files = unpack(download(url, max_bytes), sha256)
        with unfinished_folder(folder) as unfinished:
            for name, content in files.items():
                (unfinished / name).write_bytes(content)
            (unfinished / "LICENCE.txt").write_text(MOVIELENS_LATEST_LICENCE + "\n")
    return Sample("ml-latest-small", folder, MOVIELENS_LATEST_LICENCE)


def download(url: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content at a URL, of at most ``max_bytes``."""
    import requests  # noqa: PLC0415 - its import takes a quarter of a second

    try:
        with requests.get(url, timeout=TIMEOUT_S, stream=True) as response:
            response.raise_for_status()
            content = bytearray()
            for block in response.iter_content(1 << 20):
                content += block
                if len(content) > max_bytes:
                    raise SampleError(f"{url} is larger than {max_bytes:,} bytes and was not read.")
    except requests.RequestException as error:
        raise SampleError(
            f"ml-latest-small could not be downloaded from {url} ({type(error).__name__}); check the network, or "
            "unpack the zip yourself and name its folder as the data.",
        ) from error
    return bytes(content)


def unpack(content: bytes, sha256: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files named in ``sha256`` from a zip, each checked; other members are ignored."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(f"ml-latest-small/{name}") for name in sha256}
    except (zipfile.BadZipFile, KeyError) as error:
        raise SampleError(f"ml-latest-small.zip is not the zip file that is known: {error.args[0]}") from error
    for name, expected in sha256.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != expected:
            raise SampleError(
                f"ml-latest-small.zip: the sha256 of {name} is {found}, not the {expected} that is known."
            )
    return files
