import pytest

from cinematch_assets.urls import (
    DatabaseAddress,
    InvalidUrlError,
    address_of,
    has_user_info,
    hide_user_info,
    normalize_database_url,
)

SECRET = "s3cret"


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "POSTGRES", "pgsql", "postgresql+psycopg2", "postgres+asyncpg"]
)  # fmt: skip
def test_every_dialect_is_one_spelling(scheme: str) -> None:
    assert normalize_database_url(f" {scheme}://u:p@h/d?sslmode=require\n") == "postgresql://u:p@h/d?sslmode=require"


def test_jdbc_and_key_value_forms() -> None:
    assert normalize_database_url("jdbc:postgresql://h/d?user=u") == "postgresql://h/d?user=u"
    assert normalize_database_url("host=h dbname=d") == "host=h dbname=d"


@pytest.mark.faults("secrets")
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@{SECRET}@h/d",
        f"postgresql://u@{SECRET}:p@h/d",
        f"postgresql://u:{SECRET}/{SECRET}@h/d",
        f"postgresql://u:{SECRET}?{SECRET}@h/d",
        f"postgresql://u:1/{SECRET}@h/d",
        f"postgresql://u:1?host={SECRET}@h/d",
        f"mysql://u:{SECRET}@h/d",
        SECRET,
    ],
)
def test_an_unescaped_character_is_refused_and_no_part_is_repeated(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="%40") as refused:
        normalize_database_url(url)
    assert SECRET not in str(refused.value)


def test_where_a_url_leads() -> None:
    assert address_of("postgresql://u:p%40@H:5433/d%20e?a=b") == DatabaseAddress("h", "5433", "d e")
    assert address_of("postgresql://[::1]:5433/d") == DatabaseAddress("::1", "5433", "d")
    assert address_of("postgresql:///d?host=/run/x") == DatabaseAddress("/run/x", "5432", "d")
    assert address_of("postgresql://u@a:1,b:2/d") == DatabaseAddress("a", "1", "d")


@pytest.mark.parametrize(
    "text",
    [
        f"connection to postgresql://u:{SECRET}@h/d failed",
        f"s3://{SECRET}:{SECRET}@bucket/prefix",
        f"http://{SECRET}@host/x and https://a:{SECRET}@host",
        f"postgresql://u:{SECRET}@{SECRET}@h/d",
        f"postgresql://u:x/{SECRET}@h/d",
        f"host=h user={SECRET} password='{SECRET} {SECRET}' dbname=d",
        f"postgresql://h/d?user=a&password={SECRET}&sslmode=require",
    ],
)
def test_user_information_is_masked_wherever_it_stands(text: str) -> None:
    assert SECRET not in hide_user_info(text)


@pytest.mark.parametrize(
    "address",
    [
        f"AK:{SECRET}@b/p",
        f"AK:se/{SECRET}@b/p",
        f"//u:{SECRET}@h/x",
        f"//{SECRET}@h/x",
        f"\\\\{SECRET}@h\\x",
        f"{SECRET}@host:folder",
        f"AK%3A{SECRET}%40b/p",
        f" AK:{SECRET}@b/p",
        f"/AK:{SECRET}@b/p",
        f"./AK:{SECRET}@b/p",
        f"s3//AK:{SECRET}@b/p",
        f"s3:/{SECRET}@b",
        f"bucket/{SECRET}@b",
    ],
)
def test_a_path_that_could_be_a_url_without_its_scheme_is_taken_for_one(address: str) -> None:
    assert has_user_info(address)


@pytest.mark.parametrize(
    "path", ["/mnt/a@b/c", "./a@b", "../a@b", "folder", "a/b:c", "/mnt/12:30/a@b", "C:/data", "100%", "."]
)
def test_a_path_is_no_url(path: str) -> None:
    assert not has_user_info(path)


def test_text_without_user_information_stays() -> None:
    text = "see https://example.org/a?b=c, or mail me@example.org"
    assert hide_user_info(text) == text
    assert not has_user_info("s3://bucket/prefix")
    assert not has_user_info("/mnt/a@b")
    assert not has_user_info("/mnt/100%#?")
    assert not has_user_info("gdrive:1AbC_d-9")
    assert has_user_info("s3://key@bucket/prefix")
    for hidden in ("s3://AK%3As3cr3t%40b/p", "s3://b/p?key=s3cr3t", "s3://b#s3cr3t", "gdrive:id?key=s3cr3t"):
        assert has_user_info(hidden)
    for mistyped in ("s3:/AK:s3cr3t@b", "S3:AK:s3cr3t@b", "https:u:s3cr3t@h", "http://h/?access_token=s3cr3t"):
        assert has_user_info(mistyped)
