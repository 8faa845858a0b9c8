"""Requests to S3 and to what speaks as S3 does (MinIO, Ceph, R2), signed as its version 4 demands.

Settings are those of Amazon's own tools: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``, or
the profile ``AWS_PROFILE`` of ``~/.aws/credentials``; ``AWS_REGION``; ``AWS_ENDPOINT_URL`` for an S3 of another make.
Without keys, requests are not signed: for what everyone may read. Source: AWS, "Signature Version 4 signing process".
"""

import configparser
import datetime
import hashlib
import hmac
import os
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_NOTHING = hashlib.sha256(b"").hexdigest()


class Credentials(NamedTuple):
    """The two keys of a user of S3, and the token of a session, or ``""``."""

    key: str
    secret: str
    token: str = ""


def s3_request(place: str, headers: Mapping[str, str]) -> urllib.request.Request:
    """Return the request for ``s3://BUCKET/KEY``, with more headers."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    path = "/" + urllib.parse.quote(key, safe="/-_.~")
    if endpoint or "." in bucket:
        # A certificate is not for names with more full stops.
        url = f"{(endpoint or f'https://s3.{region}.amazonaws.com').rstrip('/')}/{bucket}{path}"
    else:
        url = f"https://{bucket}.s3.{region}.amazonaws.com{path}"
    credentials = _credentials()
    if credentials is not None:
        headers = signed(url, headers, credentials, region, datetime.datetime.now(datetime.timezone.utc))
    return urllib.request.Request(url, headers=dict(headers))


def signed(
    url: str, headers: Mapping[str, str], credentials: Credentials, region: str, time: datetime.datetime
) -> dict[str, str]:
    """Return the headers of a GET request, and those that sign it.

    Args:
        url: without a query; its path is quoted already.
        headers: others, such as ``Range``.
        credentials: of the user.
        region: of the bucket.
        time: now, in UTC.
    """
    parts = urllib.parse.urlsplit(url)
    stamp = time.strftime("%Y%m%dT%H%M%SZ")
    headers = {**headers, "x-amz-content-sha256": _NOTHING, "x-amz-date": stamp}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    lines = sorted((name.lower(), value.strip()) for name, value in {**headers, "Host": parts.netloc}.items())
    names = ";".join(name for name, _ in lines)
    canonical = "\n".join(["GET", parts.path, "", *(f"{name}:{value}" for name, value in lines), "", names, _NOTHING])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    by = f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope},SignedHeaders={names},Signature={signature}"
    return {**headers, "Authorization": by}


def _credentials() -> Credentials | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if key and secret:
        return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN", ""))
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    table = configparser.ConfigParser(interpolation=None)
    table.read(file, encoding="utf-8")
    name = os.environ.get("AWS_PROFILE") or "default"
    if not table.has_option(name, "aws_access_key_id") or not table.has_option(name, "aws_secret_access_key"):
        return None
    profile = table[name]
    token = profile.get("aws_session_token", "")
    return Credentials(profile["aws_access_key_id"], profile["aws_secret_access_key"], token)
