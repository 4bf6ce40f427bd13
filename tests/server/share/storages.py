"""Real storages that tests fill: a bucket on Ceph, a container on Azurite."""

from __future__ import annotations

import base64

from azure.storage.blob import BlobBlock

from packager_jupyter.sources.catalog import CredentialRef, SourceOptions

STORED = CredentialRef("stored")


class S3:
    """A bucket on Ceph, with or without versions.

    With `endpoint` the source knows it under another address than the server's own.
    """

    def __init__(self, rgw, *, is_versioned=False, endpoint=None):
        self.client = rgw.client()
        self.bucket = rgw.bucket()
        self.endpoint = endpoint or rgw.endpoint_url
        self.secrets = [rgw.secret_key]
        if is_versioned:
            self.client.put_bucket_versioning(
                Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        self.connection = {
            "url": f"s3://{self.bucket}",
            "options": SourceOptions(endpoint_url=self.endpoint, region=rgw.region),
            "secret": {
                "AWS_ACCESS_KEY_ID": rgw.access_key,
                "AWS_SECRET_ACCESS_KEY": rgw.secret_key,
            },
        }

    def put(self, key, data):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def put_in_parts(self, key, data):
        """Store an object whose ETag is no MD5."""
        where = {"Bucket": self.bucket, "Key": key}
        upload = self.client.create_multipart_upload(**where)["UploadId"]
        part = self.client.upload_part(**where, UploadId=upload, PartNumber=1, Body=data)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self.client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)

    def delete(self, key):
        self.client.delete_object(Bucket=self.bucket, Key=key)


class Azure:
    """A container on Azurite."""

    def __init__(self, azurite):
        self.container = azurite.container()
        self.client = azurite.client().get_container_client(self.container)
        self.endpoint = azurite.endpoint
        self.secrets = [azurite.key]
        self.connection = {
            "url": f"azure://{azurite.account}/{self.container}",
            "options": SourceOptions(endpoint_url=azurite.endpoint),
            "secret": {
                "AZURE_STORAGE_ACCOUNT": azurite.account,
                "AZURE_STORAGE_KEY": azurite.key,
            },
        }

    def put(self, key, data):
        self.client.upload_blob(key, data, overwrite=True)

    def put_in_parts(self, key, data):
        """Store a blob of which the storage knows no MD5."""
        blob = self.client.get_blob_client(key)
        block = base64.b64encode(b"block").decode()
        blob.stage_block(block, data)
        blob.commit_block_list([BlobBlock(block)])

    def delete(self, key):
        self.client.delete_blob(key)
