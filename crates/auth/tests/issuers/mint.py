"""Makes tokens with PyJWT: a JSON object with a key set, a secret, and tokens with what becomes of them."""

import base64
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NOW = 1_735_689_600
GOOD = {"iss": "https://id.example.com", "aud": "pets", "sub": "me", "iat": NOW, "nbf": NOW, "exp": NOW + 600}

rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
keys = {name: ec.generate_private_key(curve) for name, curve in curves.items()}
keys.update({name: rsa_key for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")})
keys["EdDSA"] = ed25519.Ed25519PrivateKey.generate()
secret = bytes(range(64))
stranger = ec.generate_private_key(ec.SECP256R1())


def jwk(name, key):
    kind = {"R": RSAAlgorithm, "P": RSAAlgorithm, "S": ECAlgorithm, "d": OKPAlgorithm}[name[1] if name[0] == "E" else name[0]]
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": name, "alg": name, "use": "sig"}


def token(claims, key, algorithm, kid):
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})


tokens = [[name, token(GOOD, key, name, name), True] for name, key in keys.items()]
tokens += [
    ["expired", token({**GOOD, "exp": NOW}, keys["ES256"], "ES256", "ES256"), False],
    ["of the future", token({**GOOD, "nbf": NOW + 1}, keys["ES256"], "ES256", "ES256"), False],
    ["for somebody else", token({**GOOD, "aud": ["dogs"]}, keys["ES256"], "ES256", "ES256"), False],
    ["for several", token({**GOOD, "aud": ["dogs", "pets"]}, keys["ES256"], "ES256", "ES256"), True],
    ["of another issuer", token({**GOOD, "iss": "https://id.example.com/"}, keys["ES256"], "ES256", "ES256"), False],
    ["by another key", token(GOOD, stranger, "ES256", "ES256"), False],
    ["by an algorithm that is not the key's", token(GOOD, rsa_key, "RS384", "RS256"), False],
    ["without a signature", jwt.encode(GOOD, None, algorithm="none", headers={"kid": "ES256"}), False],
    ["with fractions of seconds", token({**GOOD, "exp": NOW + 0.5}, keys["ES256"], "ES256", "ES256"), True],
    ["by a secret", token(GOOD, secret, "HS256", "HS256"), None],
]
print(json.dumps({
    "keys": {"keys": [jwk(name, key) for name, key in keys.items()]},
    "secret": base64.b64encode(secret).decode(),
    "tokens": tokens,
}))
