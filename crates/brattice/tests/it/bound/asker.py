# Asks the API over TLS as somebody else's client would: Python's own HTTP and TLS, with DPoP proofs by PyJWT.
#
# One JSON object on standard input, one on standard output. Nothing here knows the gateway's code.
import base64, hashlib, http.client, json, secrets, ssl, sys, time

asked = json.load(sys.stdin)
context = ssl.create_default_context(cafile=asked["ca"])
if asked.get("cert"):
    context.load_cert_chain(asked["cert"], asked["key"])


def spelled(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def proof(wish, method, url):
    import jwt
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    path, kind = wish["key_file"], wish.get("alg", "ES256")
    try:
        with open(path, "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None)
    except FileNotFoundError:
        key = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": lambda: ed25519.Ed25519PrivateKey.generate(),
            "PS256": lambda: rsa.generate_private_key(65537, 2048),
        }[kind]()
        with open(path, "wb") as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
    algorithm = jwt.get_algorithm_by_name(kind)
    jwk = json.loads(algorithm.to_jwk(key.public_key()))
    jwk = {k: jwk[k] for k in ("kty", "crv", "x", "y", "n", "e") if k in jwk}
    claims = {
        "jti": secrets.token_urlsafe(16),
        "htm": method,
        "htu": url,
        "iat": int(time.time()),
    }
    if wish.get("token"):
        claims["ath"] = spelled(hashlib.sha256(wish["token"].encode()).digest())
    claims.update(wish.get("claims", {}))
    thumbprint = spelled(
        hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest()
    )
    header = {"typ": "dpop+jwt", "jwk": jwk, **wish.get("header", {})}
    return jwt.encode(claims, key, algorithm=kind, headers=header), thumbprint


said = {}
connection = http.client.HTTPSConnection("127.0.0.1", asked["port"], context=context, timeout=20)
method, path = asked["method"], asked["path"]
headers = dict(asked.get("headers", {}))
if asked.get("dpop"):
    url = f"https://127.0.0.1:{asked['port']}{path}"
    made, said["thumbprint"] = proof(asked["dpop"], method, url)
    headers["DPoP"] = made
    said["proof"] = made
body = asked.get("body")
for _ in range(asked.get("times", 1)):
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    said["status"] = answer.status
    said["headers"] = {name.lower(): value for name, value in answer.getheaders()}
    text = answer.read().decode()
try:
    said["json"] = json.loads(text)
except ValueError:
    said["text"] = text
json.dump(said, sys.stdout)
