"""
C2PA-signed media for tests: manifests, ingredients, and somebody who signs with a throw-away certificate.

Rule: signatures are made by the C2PA project's own library, without any network.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = SOURCE_TYPES + "trainedAlgorithmicMedia"
CAPTURE = SOURCE_TYPES + "digitalCapture"


def action(name: str, *, source_type: str | None = None, agent: str = "Test Generator") -> dict[str, Any]:
    """One entry of a `c2pa.actions.v2` assertion."""
    made: dict[str, Any] = {"action": name, "softwareAgent": {"name": agent}}
    return made | ({"digitalSourceType": source_type} if source_type else {})


def manifest(*actions: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest definition with *actions*."""
    return {
        "claim_generator_info": [{"name": "Test Studio", "version": "1"}],
        "title": "test",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}],
    }


AI_CREATED = manifest(action("c2pa.created", source_type=TRAINED))


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file used for another: *relationship* is `parentOf` or `componentOf`."""

    content: bytes
    media_type: str
    relationship: str = "parentOf"


@dataclass(frozen=True, slots=True)
class Signatory:
    """Somebody with a throw-away certificate: *chain* and *key* in PEM; *root* is what would have to be trusted."""

    chain: bytes
    key: bytes
    root: str

    @classmethod
    def make(cls, *, organisation: str = "Example Studio") -> Self:
        """A signatory of *organisation* with a chain of two ES256 certificates, valid for ten years."""
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root_name, name = _name(organisation, "Test root"), _name(organisation, "Test signer")
        root = (
            _certificate(root_name, root_name, root_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        leaf = (
            _certificate(name, root_name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .add_extension(authority, critical=False)
            .sign(root_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem = [made.public_bytes(serialization.Encoding.PEM) for made in (leaf, root)]
        return cls(b"".join(pem), private, pem[1].decode())

    def sign(
        self,
        content: bytes,
        media_type: str,
        definition: Mapping[str, Any] = AI_CREATED,
        *,
        ingredients: Sequence[Ingredient] = (),
        remote: str | None = None,
    ) -> bytes:
        """*content* with a signed manifest in it; with *remote*, only with that address of one."""
        settings = {
            "core": {"allowed_network_hosts": []},
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False},
            "builder": {"thumbnail": {"enabled": False}},
        }
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", self.chain, self.key, None))
        signed = io.BytesIO()
        with (
            c2pa.Context.from_dict(settings) as context,
            signer,
            c2pa.Builder.from_json(json.dumps(definition), context=context) as builder,
        ):
            if remote is not None:
                builder.set_remote_url(remote)
                builder.set_no_embed()
            for one in ingredients:
                described = json.dumps({"title": "used", "relationship": one.relationship})
                builder.add_ingredient(described, one.media_type, io.BytesIO(one.content))
            builder.sign(signer, media_type, io.BytesIO(content), signed)
        return signed.getvalue()


def _name(organisation: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
