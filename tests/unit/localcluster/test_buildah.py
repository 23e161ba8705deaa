from localcluster.buildah import declared_arguments


def test_declared_arguments_are_found_in_every_stage() -> None:
    dockerfile = """\
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE} AS build
arg SSL_CERT_FILE
# ARG NOT_THIS
  ARG VERSION=1
"""
    assert declared_arguments(dockerfile) == {"BASE_IMAGE", "SSL_CERT_FILE", "VERSION"}
