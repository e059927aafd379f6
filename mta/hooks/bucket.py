"""Buckets: where SES keeps incoming mail that is too large for a notification."""

from __future__ import annotations

from typing import Any

from mta.hooks.call import NotNow

LARGEST = 40 * 1024 * 1024
"""Bytes; SES takes no larger mail."""


class Gone(Exception):
    """There is no such object."""


class Buckets:
    """Reads objects from S3, with the credentials that boto3 finds in the environment, a profile or a role."""

    def __init__(self, endpoint: str = "", timeout: float = 30.0) -> None:
        """
        Args:
            endpoint: another address of the API, or "".
            timeout: seconds to wait for an answer.
        """
        self._endpoint = endpoint
        self._timeout = timeout
        self._clients: dict[str, Any] = {}

    def fetch(self, region: str, bucket: str, key: str) -> bytes:
        """The bytes of an object.

        Raises:
            Gone: there is no such object, or it is larger than any mail.
            NotNow: it cannot be had at the moment, or we may not have it.
        """
        from botocore.exceptions import (  # loading it takes long, and most need it never
            BotoCoreError,
            ClientError,
        )

        try:
            answer = self._client(region).get_object(Bucket=bucket, Key=key)
            if answer["ContentLength"] > LARGEST:
                raise Gone(f"the object has {answer['ContentLength']:,} bytes")
            body: bytes = answer["Body"].read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "NoSuchBucket", "404"):
                raise Gone(f"S3 says {code}") from None
            raise NotNow(f"S3 says {code}") from None
        except BotoCoreError as error:
            raise NotNow(f"S3 does not answer: {type(error).__name__}") from None
        return body

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            import boto3
            from botocore.config import Config

            config = Config(
                connect_timeout=self._timeout, read_timeout=self._timeout, retries={"total_max_attempts": 1}
            )
            session = boto3.session.Session(region_name=region)
            self._clients[region] = session.client("s3", endpoint_url=self._endpoint or None, config=config)
        return self._clients[region]
