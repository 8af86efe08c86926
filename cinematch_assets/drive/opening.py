"""A folder by the value of ``CINEMATCH_DRIVE``: a path, ``gdrive:<folder id>`` or ``s3://bucket/prefix``.

Here: the choice. Not here: what a folder is (``drive.folder``), how each kind works (``drive.local_folder``,
``drive.google_folder``, ``drive.s3_folder``).
"""

from pathlib import Path

from cinematch_assets.drive.folder import GOOGLE_PREFIX, MIN_AGE_S, DriveError, Folder
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.storage.s3 import S3_PREFIX


def open_folder(
    spec: str,
    *,
    min_age_s: float = MIN_AGE_S,
    google_endpoint: str | None = None,
    token_file: Path | None = None,
    secret_name: str | None = None,
) -> Folder:
    """Open a local path, a Google Drive folder as ``gdrive:<folder id>``, or a bucket; nothing is read yet.

    Args:
        spec: The value of ``CINEMATCH_DRIVE``.
        min_age_s: For how long a local file must not have changed to count as written.
        google_endpoint: The address of Drive when it is not Google's.
        token_file: Where Google's token is kept.
        secret_name: The AWS secret with Google's token.
    """
    if spec.startswith(GOOGLE_PREFIX):
        from cinematch_assets.drive.google_folder import open_google_folder  # noqa: PLC0415 - a third of a second

        folder_id = spec.removeprefix(GOOGLE_PREFIX)
        return open_google_folder(folder_id, endpoint=google_endpoint, token_file=token_file, secret_name=secret_name)
    if spec.startswith(S3_PREFIX):
        from cinematch_assets.drive.s3_folder import open_s3_folder  # noqa: PLC0415 - half a second

        return open_s3_folder(spec)
    if "://" in spec:
        raise DriveError(f"CINEMATCH_DRIVE={spec} is neither a path, nor gdrive:<folder id>, nor s3://bucket/prefix.")
    return LocalFolder(Path(spec), min_age_s=min_age_s)
