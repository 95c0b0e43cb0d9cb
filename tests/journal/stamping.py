"""A time stamping authority of the tests' own (RFC 3161): a root, a stamping certificate under it, and on loopback one that misbehaves."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from asn1crypto import algos, cms, tsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from procure.journal import stamps
from procure.journal.models import JournalCheckpoint, JournalTimestamp

POLICY = "1.3.6.1.4.1.4146.2.3"
_YEAR = timedelta(days=365)
_BEGINS = datetime(2020, 1, 1, tzinfo=UTC)


def _name(said: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, said)])


@dataclass(frozen=True)
class Authority:
    """What stamps, and the root that vouches for it."""

    root: x509.Certificate
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)

    def reply(
        self,
        request: bytes,
        *,
        status: str = "granted",
        nonce: int | None = None,
        imprint: bytes | None = None,
        at: datetime | None = None,
    ) -> bytes:
        """The answer to a request: what it asks for, but for what is said otherwise."""
        if status not in ("granted", "granted_with_mods"):
            said = {"status": status, "status_string": ["no"], "fail_info": {"time_not_available"}}
            body = bytes(tsp.PKIStatusInfo(said).dump())
            return b"\x30" + bytes([len(body)]) + body  # asn1crypto wants a token here, RFC 3161 none
        asked: Any = tsp.TimeStampReq.load(request).native
        info = {
            "version": "v1",
            "policy": POLICY,
            "message_imprint": {
                "hash_algorithm": {"algorithm": asked["message_imprint"]["hash_algorithm"]["algorithm"]},
                "hashed_message": imprint or asked["message_imprint"]["hashed_message"],
            },
            "serial_number": int.from_bytes(hashlib.sha256(request).digest()[:8], "big"),
            "gen_time": (at or datetime.now(UTC)).replace(microsecond=0),
            "nonce": asked["nonce"] if nonce is None else nonce,
        }
        token = self._signed(tsp.TSTInfo(info).dump())
        return bytes(tsp.TimeStampResp({"status": {"status": status}, "time_stamp_token": token}).dump())

    def _signed(self, content: bytes) -> Any:
        certificate = asn1.Certificate.load(self.certificate.public_bytes(serialization.Encoding.DER))
        sha256 = algos.DigestAlgorithm({"algorithm": "sha256"})
        attributes = cms.CMSAttributes(
            [
                {"type": "content_type", "values": ["tst_info"]},
                {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
                {
                    "type": "signing_certificate_v2",
                    "values": [{"certs": [{"cert_hash": hashlib.sha256(certificate.dump()).digest()}]}],
                },
            ]
        )
        signer = {
            "version": "v1",
            "sid": {
                "issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
            },
            "digest_algorithm": sha256,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
        }
        signed = {
            "version": "v3",
            "digest_algorithms": [sha256],
            "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(content)},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


@cache
def authority(name: str = "Testshire time") -> Authority:
    """Made once: a key costs more than a stamp."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    is_authority = x509.BasicConstraints(ca=True, path_length=0)
    root = (
        _issued(f"{name} root", f"{name} root", root_key)
        .add_extension(is_authority, critical=True)
        .sign(root_key, hashes.SHA256())
    )
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = _issued(name, f"{name} root", key).add_extension(usage, critical=True).sign(root_key, hashes.SHA256())
    return Authority(root, leaf, key)


def _issued(name: str, by: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=_name(name),
        issuer_name=_name(by),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=_BEGINS,
        not_valid_after=_BEGINS + 30 * _YEAR,
    )


async def stamp_latest(db: AsyncSession) -> int:
    """The size of the latest checkpoint, which has a stamp of the authority's by now."""
    latest = select(JournalCheckpoint).order_by(JournalCheckpoint.size.desc()).limit(1)
    checkpoint = (await db.scalars(latest)).one()
    if await db.get(JournalTimestamp, checkpoint.size) is None:
        reply = authority().reply(stamps.ask(checkpoint.note).as_bytes())
        at = stamps.check(reply, checkpoint.note)
        db.add(JournalTimestamp(size=checkpoint.size, reply=reply, stamped_at=at, authority="https://time.example/tsr"))
        await db.flush()
    return checkpoint.size
