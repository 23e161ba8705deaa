import ssl
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID
from localcluster.pki import IDENTITIES, ensure_pki


def test_every_certificate_is_signed_and_every_key_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    ensure_pki(folder)
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    for identity in IDENTITIES:
        certificate = x509.load_pem_x509_certificate((folder / f"{identity.file}.crt").read_bytes())
        certificate.verify_directly_issued_by(authority)
        groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert tuple(str(group.value) for group in groups) == identity.groups
        ssl.create_default_context().load_cert_chain(
            folder / f"{identity.file}.crt", folder / f"{identity.file}.key"
        )
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}


def test_a_whole_set_is_kept_and_a_broken_one_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    ensure_pki(folder)
    authority = (folder / "ca.crt").read_bytes()
    ensure_pki(folder)
    assert (folder / "ca.crt").read_bytes() == authority
    (folder / "admin.crt").unlink()
    ensure_pki(folder)
    assert (folder / "admin.crt").exists()
    assert (folder / "ca.crt").read_bytes() != authority
