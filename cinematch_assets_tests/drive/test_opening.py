from pathlib import Path

import pytest

from cinematch_assets.drive.folder import DriveError, TokenError
from cinematch_assets.drive.google_folder import GoogleFolder
from cinematch_assets.drive.local_folder import LocalFolder
from cinematch_assets.drive.opening import open_folder
from cinematch_assets_tests.support.drive_server import DriveServer


def test_a_path_opens_as_a_local_folder(tmp_path: Path) -> None:
    assert open_folder(str(tmp_path), min_age_s=1.5) == LocalFolder(tmp_path, min_age_s=1.5)


@pytest.mark.parametrize("folder_id", ["", "a b", "https://drive.example/folders/1", "'; drop"])
def test_a_setting_without_a_folder_id_is_refused(token_file: Path, folder_id: str) -> None:
    with pytest.raises(DriveError, match=r"CINEMATCH_DRIVE=gdrive:.* has no folder id"):
        open_folder(f"gdrive:{folder_id}", token_file=token_file)


def test_an_id_opens_as_a_folder_in_google_drive(drive: DriveServer, google: GoogleFolder, token_file: Path) -> None:
    drive.add_file(google.folder_id, "x.csv", b"1")
    folder = open_folder(google.spec, google_endpoint=drive.url, token_file=token_file)
    assert isinstance(folder, GoogleFolder)
    assert [file.path for file in folder.list_files().files] == ["x.csv"]
    assert folder.spec == f"gdrive:{google.folder_id}"


def test_without_a_token_the_variables_to_set_are_named() -> None:
    with pytest.raises(TokenError, match="GOOGLE_TOKEN_FILE or GCP_SECRET_NAME, or run `cinematch drive login`"):
        open_folder("gdrive:abc")
