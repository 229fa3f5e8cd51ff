"""A SAML identity provider, made of pysaml2 and xmlsec1, that does what a test tells it.

One line of JSON in, one line of JSON out, until the input ends. Arguments: a directory of its own; one where keys are
kept between runs, for they take long to make; and `strict` to check what is read against the schemas, which take longer
still to load.
"""

import base64
import datetime
import json
import os
import re
import shutil
import sys
import tempfile
import types

HOME, KEYS, STRICT = sys.argv[1], sys.argv[2], sys.argv[3:] == ["strict"]
if not STRICT:
    lax = types.ModuleType("saml2.xml.schema")
    lax.validate = lambda *_, **__: None
    lax.XMLSchemaError = type("XMLSchemaError", (Exception,), {})
    sys.modules["saml2.xml.schema"] = lax

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from saml2 import BINDING_HTTP_REDIRECT, saml
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NameID
from saml2.server import Server
from saml2.sigver import pre_encryption_part, pre_signature_part

ENTITY = "https://idp.example/metadata"
SSO = "https://idp.example/sso"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA256_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RESPONSE = "urn:oasis:names:tc:SAML:2.0:protocol:Response"


def path(name):
    return os.path.join(KEYS, name)


def make_pairs():
    """Whoever is first makes them, for all."""
    if os.path.isdir(KEYS):
        return
    partial = tempfile.mkdtemp(dir=HOME)
    for name in ["idp", "next", "mallory", "sp"]:
        make_pair(partial, name)
    make_pair(partial, "curve", ec.generate_private_key(ec.SECP256R1()))
    os.makedirs(os.path.dirname(KEYS), exist_ok=True)
    try:
        os.rename(partial, KEYS)
    except OSError:
        if not os.path.isdir(KEYS):
            raise


def read_pair(name):
    with open(path(name + ".key")) as key, open(path(name + ".crt")) as certificate:
        return {"key": key.read(), "certificate": certificate.read()}


def make_pair(where, name, key=None):
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    with open(os.path.join(where, name + ".key"), "wb") as file:
        file.write(private)
    with open(os.path.join(where, name + ".crt"), "wb") as file:
        file.write(public)


def bare(name):
    with open(path(name + ".crt")) as file:
        return "".join(line.strip() for line in file if "-----" not in line)


def config(sp_metadata=None, signed=False):
    settings = {
        "entityid": ENTITY,
        "xmlsec_binary": shutil.which("xmlsec1"),
        "key_file": path("idp.key"),
        "cert_file": path("idp.crt"),
        "service": {
            "idp": {
                "want_authn_requests_signed": signed,
                "signing_algorithm": SHA256_RSA,
                "digest_algorithm": SHA256,
                "endpoints": {"single_sign_on_service": [(SSO, BINDING_HTTP_REDIRECT)]},
                "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": saml.NAME_FORMAT_BASIC}},
            }
        },
    }
    if sp_metadata:
        ours = os.path.join(HOME, "sp.xml")
        with open(ours, "w") as file:
            file.write(sp_metadata)
        settings["metadata"] = {"local": [ours]}
    return IdPConfig().load(settings)


class Provider:
    def start(self, _):
        make_pairs()
        pairs = {name: read_pair(name) for name in ["idp", "next", "mallory", "sp", "curve"]}
        return {"metadata": str(entity_descriptor(config())), "entity_id": ENTITY, "pairs": pairs}

    def meet(self, order):
        """Reads the gateway's own metadata."""
        self.server = Server(config=config(order["metadata"], order.get("signed", False)))
        return {}

    def asked(self, order):
        """Reads a request out of the query of a redirect."""
        request = self.server.parse_authn_request(
            order["request"],
            BINDING_HTTP_REDIRECT,
            relay_state=order["relay_state"],
            sigalg=order["algorithm"],
            signature=order["signature"],
        )
        args = self.server.response_args(request.message)
        return {
            "id": request.message.id,
            "again": request.message.force_authn,
            "binding": args["binding"],
            "destination": args["destination"],
            "sp": args["sp_entity_id"],
            "format": request.message.name_id_policy and request.message.name_id_policy.format,
        }

    def answer(self, order):
        """A response all of pysaml2's making."""
        self.order = order
        return {"response": self.made(self.arguments(**order.get("options", {})))}

    def edited(self, order):
        """A response whose text is changed before xmlsec1 signs it."""
        self.order = order
        response = self.server.create_authn_response(**self.arguments(sign_assertion=False, sign_response=False))
        if order.get("same_ids"):
            response.id = response.assertion.id
        what = order.get("sign", "assertion")
        algorithms = {
            "sign_alg": order.get("sign_alg", SHA256_RSA),
            "digest_alg": order.get("digest_alg", SHA256),
        }
        key = order.get("key", "idp")
        certificate = bare(key) if order.get("key_info", True) else None
        assertion = response.assertion
        if what in ("assertion", "both"):
            assertion.signature = pre_signature_part(assertion.id, certificate, 1, **algorithms)
        if what in ("response", "both"):
            response.signature = pre_signature_part(response.id, certificate, 2, **algorithms)
        text = str(response)
        for old, new in order.get("edits", []):
            if old not in text:
                raise ValueError("not in the response: " + old)
            text = text.replace(old, new)
        for tag, attribute, new in order.get("retime", []):
            # None takes the attribute away.
            said = "" if new is None else ' %s="%s"' % (attribute, new)
            text, found = re.subn(r'(<%s\b[^>]*?) %s="[^"]*"' % (tag, attribute), r"\1" + said, text, count=1)
            if not found:
                raise ValueError("no %s in %s" % (attribute, tag))
        crypto = self.server.sec.crypto
        if what in ("assertion", "both"):
            text = crypto.sign_statement(text, ASSERTION, path(key + ".key"), assertion.id)
        for old, new in order.get("edits_signed", []):
            if old not in text:
                raise ValueError("not in the signed response: " + old)
            text = text.replace(old, new)
        if "encrypt" in order:
            text = self.encrypted(text, order["encrypt"])
        if what in ("response", "both"):
            text = crypto.sign_statement(text, RESPONSE, path(key + ".key"), response.id)
        return {"response": base64.b64encode(text.encode()).decode()}

    def failed(self, order):
        response = self.server.create_error_response(
            order["in_response_to"], order["destination"], info=("urn:oasis:names:tc:SAML:2.0:status:AuthnFailed", "no")
        )
        return {"response": base64.b64encode(str(response).encode()).decode()}

    def encrypted(self, text, how):
        start = text.index("<ns1:Assertion") if "<ns1:Assertion" in text else text.index("<saml:Assertion")
        end = text.rindex("Assertion>") + len("Assertion>")
        prefix = text[start + 1 : text.index(":Assertion", start)]
        text = (
            text[:start] + "<%s:EncryptedAssertion>" % prefix + text[start:end]
            + "</%s:EncryptedAssertion>" % prefix + text[end:]
        )
        template = pre_encryption_part(msg_enc=how["data"], key_enc=how["key"])
        return self.server.sec.crypto.encrypt_assertion(
            text, path(how.get("to", "sp") + ".crt"), template, key_type=how["session"]
        )

    def made(self, arguments):
        response = self.server.create_authn_response(**arguments)
        return base64.b64encode(str(response).encode()).decode()

    def arguments(self, **options):
        order = self.order
        if "encrypt_cert_assertion" in options:
            options["encrypt_cert_assertion"] = bare(options["encrypt_cert_assertion"])
        return {
            "identity": order.get("attributes", {"groups": ["dba", "on-call"], "mail": "ana@corp.example"}),
            "in_response_to": order.get("in_response_to"),
            "destination": order["destination"],
            "sp_entity_id": order["sp"],
            "name_id": NameID(
                format=order.get("format", saml.NAMEID_FORMAT_PERSISTENT),
                sp_name_qualifier=order["sp"],
                text=order.get("name", "ana-7f3c"),
            ),
            "authn": {
                "class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
                "authn_instant": int(datetime.datetime.now().timestamp()) - order.get("session_age", 0),
            },
            **options,
        }


provider = Provider()
for line in sys.stdin:
    order = json.loads(line)
    try:
        said = getattr(provider, order.pop("do"))(order)
    except Exception as error:  # the test shows it
        said = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(said), flush=True)
