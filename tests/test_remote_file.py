import datetime

import pytest
from served_folder import served

from speechtl.errors import DataError
from speechtl.remote_file import address, fetch, is_remote, read_remote
from speechtl.s3_request import Credentials, s3_request, signed


def test_a_request_is_signed_as_in_amazons_example():
    # "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", example GET Object.
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    time = datetime.datetime(2013, 5, 24, tzinfo=datetime.timezone.utc)
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    found = signed(url, {"Range": "bytes=0-9"}, credentials, "us-east-1", time)
    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_keys_and_places_come_from_where_amazons_tools_have_them(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    public = s3_request("s3://speech/set/a b.tar", {"Range": "bytes=0-9"})
    assert public.full_url == "https://speech.s3.us-east-1.amazonaws.com/set/a%20b.tar"
    assert not public.has_header("Authorization") and public.get_header("Range") == "bytes=0-9"
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = ME\naws_secret_access_key = 5%%\n")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert "Credential=ME/" in s3_request("s3://speech/x", {}).get_header("Authorization")
    assert s3_request("s3://my.speech/x", {}).full_url == "https://s3.eu-central-1.amazonaws.com/my.speech/x"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000/")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    mine = s3_request("s3://speech/x", {})
    assert mine.full_url == "http://localhost:9000/speech/x" and "Credential=ENV/" in mine.get_header("Authorization")


@pytest.mark.parametrize("ranges", [True, False])
def test_parts_of_files_over_http_and_from_s3(ranges, tmp_path, monkeypatch):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "x.tar").write_bytes(bytes(range(200)))
    with served(tmp_path, ranges=ranges) as place:
        monkeypatch.setenv("AWS_ENDPOINT_URL", place)
        for file in (f"{place}/bucket/x.tar", "s3://bucket/x.tar"):
            assert read_remote(file) == bytes(range(200))
            assert read_remote(file, 150) == bytes(range(150, 200))
            assert read_remote(file, 20, 30) == bytes(range(20, 50))
            with pytest.raises(DataError, match=r"x\.tar: truncated \(got 5 of 30 bytes at 195\)"):
                read_remote(file, 195, 30)
            fetch(file, tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes() == bytes(range(200))
            with pytest.raises(DataError, match=r"none\.tar: cannot read: 404 .*; check the address"):
                read_remote(file.replace("x.tar", "none.tar"))


def test_a_server_that_is_not_there_is_asked_again_and_named(monkeypatch, tmp_path):
    monkeypatch.setattr("speechtl.remote_file._PAUSES", (0.0, 0.0))
    with served(tmp_path) as place:
        pass
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:\d+/x: cannot read: .*refused.*; try again"):
        read_remote(f"{place}/x")


def test_addresses_survive_a_path(tmp_path):
    for place in ("http://host/a/b", "s3://bucket/a", "gs://bucket/a"):
        assert is_remote(place) and address(type(tmp_path)(place)) == place
    for place in ("data/train", "/data", "http", "s3:", "x/http://y"):
        assert not is_remote(place) and address(place) == place
