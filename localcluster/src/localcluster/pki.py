"""Keys and certificates of a cluster, made once per state folder."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localcluster.layout import API_SERVICE_IP, CLUSTER_DOMAIN, NODE_IP, NODE_NAME

FRONT_PROXY = "front-proxy-client"
"""The only name that may act for others, towards aggregated API servers."""
VALID_FOR = datetime.timedelta(days=3650)
CLOCK_SKEW = datetime.timedelta(hours=1)

_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True)
class Identity:
    """Whom a certificate names: a user and groups for Kubernetes, addresses for TLS."""

    file: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


IDENTITIES = (
    Identity("etcd", "etcd", names=("localhost",), addresses=("127.0.0.1",)),
    Identity("etcd-client", "kube-apiserver"),
    Identity(
        "apiserver",
        "kube-apiserver",
        names=(
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
        ),
        addresses=("127.0.0.1", NODE_IP, API_SERVICE_IP),
    ),
    Identity("kubelet-client", "kube-apiserver-kubelet-client"),
    Identity(
        "kubelet-server", f"system:node:{NODE_NAME}", names=(NODE_NAME,), addresses=(NODE_IP,)
    ),
    Identity("admin", "kubernetes-admin", groups=("system:masters",)),
    Identity("supervisor", "localcluster-supervisor", groups=("system:masters",)),
    Identity("front-proxy", FRONT_PROXY),
    Identity("controller-manager", "system:kube-controller-manager"),
    Identity("scheduler", "system:kube-scheduler"),
    Identity("proxy", "system:kube-proxy"),
    Identity("kubelet", f"system:node:{NODE_NAME}", groups=("system:nodes",)),
    Identity("coredns", "system:coredns"),
)


def ensure_pki(folder: Path) -> None:
    """Make every key and certificate, unless a whole set is there."""
    if all((folder / f"{identity.file}.crt").exists() for identity in IDENTITIES):
        return
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o700, parents=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localcluster")])
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(temporary / "ca.key", ca_key)
    (temporary / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    for identity in IDENTITIES:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(identity, key, ca, ca_key)
        _write_key(temporary / f"{identity.file}.key", key)
        (temporary / f"{identity.file}.crt").write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
        )
    service_accounts = ec.generate_private_key(ec.SECP256R1())
    _write_key(temporary / "service-accounts.key", service_accounts)
    (temporary / "service-accounts.pub").write_bytes(
        service_accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _certificate(
    identity: Identity,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in identity.groups]
        + [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
    )
    builder = (
        _builder(subject, ca.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_SERVER, _CLIENT]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
    )
    alternatives = list(_alternatives(identity))
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(identity: Identity) -> Iterable[x509.GeneralName]:
    for name in identity.names:
        yield x509.DNSName(name)
    for address in identity.addresses:
        yield x509.IPAddress(ipaddress.ip_address(address))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)
