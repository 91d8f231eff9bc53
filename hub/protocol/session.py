"""Sessions between connector and hub: who is on the line. They keep strangers off and count quotas.

Whether content may go is never decided here: that hangs on the originator's signature and on policy. A connector logs
in with an assertion signed by its directory key (RFC 7523) and gets a five-minute token (RFC 9068) that is worth
nothing without the session key it is bound to (DPoP, RFC 9449); each proof also covers the body. Claims are checked by
PyJWT. Not for: TLS. Implements `docs/protocol/09-directory.md` section 6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Annotated, Any, Final, NamedTuple

import jwt
from pydantic import Field

from hub.protocol.directory import Directory
from hub.protocol.encoding import decode_b64url, encode_b64url
from hub.protocol.errors import (
    BusyError,
    ClockError,
    KeyNotValidError,
    LoginKeyError,
    PartnerSuspendedError,
    ReplayedProofError,
    SignatureError,
    TokenExpiredError,
    TokenKeyError,
    UnauthenticatedError,
    ValiseError,
    WrongBodyError,
)
from hub.protocol.hazmat import SigningKey, random_bytes, sha256
from hub.protocol.jws import parse_jws, sign_jws, verify_jws
from hub.protocol.keys import Signer
from hub.protocol.strictjson import write_json
from hub.protocol.wire import Time, Wire, parse_wire, write_wire

ASSERTION_TYP: Final = "client-authentication+jwt"
TOKEN_LIFETIME: Final = 300  # seconds
PROOF_WINDOW: Final = 60  # seconds that a proof or assertion is good for, and that clocks may differ
MAX_PROOF: Final = 4_096  # characters
CERTIFICATE: Final = "x5t#S256"  # RFC 8705 section 3.1: the member of `cnf` that names a client certificate
_MAX_JTI: Final = 64  # characters
_MAX_SEEN: Final = 200_000  # identifiers remembered; more within one window is a flood, answered as busy


class _Assertion(Wire):
    fed: Annotated[str, Field(max_length=64)]
    iss: Annotated[str, Field(max_length=32)]
    aud: Annotated[str, Field(max_length=64)]
    jti: Annotated[str, Field(min_length=16, max_length=64)]
    iat: Time
    jkt: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request and by which key it logged in, the digest that the body must have, and the session's end."""

    partner: str
    kid: str
    body_digest: str
    expires: int

    def check_standing(self, directory: Directory, *, now: int) -> None:
        """Check that the partner is not suspended and that the key by which it logged in is still valid.

        Raises:
            PartnerSuspendedError: it is suspended.
            LoginKeyError: the key was revoked or has ended; another one may log in.
        """
        directory.check_active(self.partner)
        try:
            directory.signing_key(self.kid, iss=self.partner, at=now)
        except SignatureError as error:
            raise LoginKeyError(f"{self.kid}: {error.code}") from error

    def check_body(self, body: bytes) -> None:
        """Check the body, which is read only once the caller is known.

        Raises:
            WrongBodyError: it is another than the proof covers.
        """
        if encode_b64url(sha256(body)) != self.body_digest:
            raise WrongBodyError


class _Proof(NamedTuple):
    """What a proof shows: by which key, for which body, and by what it is known again."""

    thumbprint: str
    body_digest: str
    identifier: str


class SeenOnce:
    """Remembers identifiers for as long as they could be replayed."""

    def __init__(self) -> None:
        self._seen: Final[set[str]] = set()
        self._ends: Final[list[tuple[int, str]]] = []  # a heap: the clock may have been ahead, and followed back

    def check(self, identifier: str, *, now: int, admit: Callable[[], object] | None = None) -> None:
        """Refuse an identifier that was seen within the window.

        Args:
            identifier: seen now, if it was not before.
            now: Unix seconds.
            admit: is asked before it is remembered, and raises to refuse; it then costs no memory.

        Raises:
            ReplayedProofError: it was.
            BusyError: there are too many to remember.
        """
        while self._ends and self._ends[0][0] < now:
            self._seen.discard(heappop(self._ends)[1])
        if identifier in self._seen:
            raise ReplayedProofError
        if admit is not None:
            admit()
        if len(self._seen) >= _MAX_SEEN:
            raise BusyError("proofs")
        self._seen.add(identifier)
        heappush(self._ends, (now + 2 * PROOF_WINDOW, identifier))


class SessionKey:
    """A connector's session key: made at start, never stored, proves possession with every request."""

    def __init__(self) -> None:
        seed = random_bytes(32)
        public = encode_b64url(SigningKey("Ed25519", seed).public)
        self._public: Final = {"kty": "OKP", "crv": "Ed25519", "x": public}
        self._key: Final = jwt.PyJWK({**self._public, "d": encode_b64url(seed)}, algorithm="EdDSA")

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint, to which a token is bound."""
        return _thumbprint(self._public)

    def prove(self, *, method: str, url: str, body: bytes, token: str | None, now: int) -> str:
        """Return a DPoP proof for one request (RFC 9449 section 4.2), with the body's digest as `bh`."""
        claims: dict[str, Any] = {
            "jti": encode_b64url(random_bytes(16)),
            "htm": method,
            "htu": url,
            "iat": now,
            "bh": encode_b64url(sha256(body)),
        }
        if token is not None:
            claims["ath"] = encode_b64url(sha256(token.encode("ascii")))
        return jwt.encode(claims, self._key, "EdDSA", headers={"typ": "dpop+jwt", "jwk": self._public})


def make_assertion(*, federation: str, partner: str, hub: str, thumbprint: str, signer: Signer, now: int) -> str:
    """Return the login assertion of a connector for one session key."""
    jti = encode_b64url(random_bytes(16))
    claims = _Assertion(fed=federation, iss=partner, aud=hub, jti=jti, iat=now, jkt=thumbprint)
    return sign_jws(write_wire(claims), typ=ASSERTION_TYP, signer=signer)


class SessionDesk:
    """The hub's end: checks assertions and proofs, issues tokens. Its secret lives as long as the process."""

    def __init__(self, *, hub: str) -> None:
        """Take the hub's partner code, the audience of every assertion."""
        self._hub: Final = hub
        self._secret: Final = random_bytes(32)
        self._seen: Final = SeenOnce()

    def log_in(
        self,
        assertion: str,
        proof: str,
        *,
        url: str,
        body: bytes,
        directory: Directory,
        now: int,
        certificate: str | None = None,
    ) -> str:
        """Return a token for the session key that made `proof`.

        Args:
            assertion: signed by the agency's key.
            proof: of the session key.
            url: of this request, as the connector knows it.
            body: of this request.
            directory: the believed one.
            now: Unix seconds.
            certificate: digest (base64url of SHA-256) of the client certificate on this line, if it showed one; the
                token is then bound to it too (RFC 8705 section 3).

        Raises:
            UnauthenticatedError: the assertion or the proof is not to be believed; a leaf below it where a person of
                the agency can mend it.
            PartnerSuspendedError: the partner is suspended.
        """
        claims, kid = _believe_assertion(assertion, directory, now)
        if (claims.fed, claims.aud) != (directory.federation, self._hub):
            raise UnauthenticatedError("assertion for another hub")
        if abs(now - claims.iat) > PROOF_WINDOW:
            raise ClockError("assertion")
        shown = _check_proof(proof, method="POST", url=url, token=None, now=now)
        if shown.thumbprint != claims.jkt:
            raise TokenKeyError("another session key")
        expires = now + TOKEN_LIFETIME
        Caller(claims.iss, kid, shown.body_digest, expires).check_body(body)
        self._seen.check(shown.identifier, now=now)
        self._seen.check(f"{claims.iss}/{claims.jti}", now=now)
        bound = {"jkt": claims.jkt} | ({CERTIFICATE: certificate} if certificate else {})
        token = {"iss": self._hub, "sub": claims.iss, "kid": kid, "iat": now, "exp": expires, "cnf": bound}
        return jwt.encode(token, self._secret, "HS256", headers={"typ": "at+jwt"})

    def check(
        self,
        token: str,
        proof: str,
        *,
        method: str,
        url: str,
        now: int,
        certificate: str | None = None,
        admit: Callable[[str], object] | None = None,
    ) -> Caller:
        """Return who makes a request, from its head alone.

        Args:
            token: from `log_in`.
            proof: of the session key.
            method: of this request.
            url: of this request, as the connector knows it.
            now: Unix seconds.
            certificate: as for `log_in`.
            admit: is told the partner before anything is remembered of the request, and raises to refuse it: the
                memory of proofs is everybody's, so one partner's flood must not fill it.

        Raises:
            UnauthenticatedError: token or proof are not to be believed, or do not belong together; a leaf below it
                where a person of the agency can mend it.
            BusyError: there are too many proofs to remember.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                ["HS256"],
                issuer=self._hub,
                options={"require": ["exp", "sub", "kid", "cnf"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise UnauthenticatedError("token") from error
        shown = _check_proof(proof, method=method, url=url, token=token, now=now)
        if shown.thumbprint != claims["cnf"]["jkt"] or claims["cnf"].get(CERTIFICATE, certificate) != certificate:
            raise TokenKeyError
        if now >= claims["exp"]:
            raise TokenExpiredError
        partner = claims["sub"]
        self._seen.check(shown.identifier, now=now, admit=partial(admit, partner) if admit is not None else None)
        return Caller(partner, claims["kid"], shown.body_digest, claims["exp"])


def _check_proof(proof: str, *, method: str, url: str, token: str | None, now: int) -> _Proof:
    """Check a DPoP proof (RFC 9449 section 4.3), but for whether it was seen before."""
    if len(proof) > MAX_PROOF:
        raise UnauthenticatedError("proof")
    try:
        header = jwt.get_unverified_header(proof)
        public = header.get("jwk")
        if header.get("typ") != "dpop+jwt" or not isinstance(public, dict) or set(public) != {"kty", "crv", "x"}:
            raise UnauthenticatedError("proof header")
        options: Any = {
            "require": ["jti", "htm", "htu", "iat", "bh"],
            "verify_iat": False,  # time is an argument here, and PyJWT would ask the wall clock
            "verify_exp": False,
            "verify_nbf": False,
        }
        claims = jwt.decode(proof, jwt.PyJWK(public, algorithm="EdDSA"), ["EdDSA"], options=options)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise UnauthenticatedError("proof") from error
    expected = {"htm": method, "htu": url}
    if token is not None:
        expected["ath"] = encode_b64url(sha256(token.encode("ascii", "replace")))
    if any(claims.get(name) != value for name, value in expected.items()):
        raise UnauthenticatedError("proof of another request")
    if not isinstance(claims["jti"], str) or len(claims["jti"]) > _MAX_JTI:
        raise UnauthenticatedError("proof identifier")
    if not isinstance(claims["iat"], int):
        raise UnauthenticatedError("proof's time")
    if abs(now - claims["iat"]) > PROOF_WINDOW:
        raise ClockError("proof")
    thumbprint = _thumbprint(public)
    return _Proof(thumbprint, str(claims["bh"]), f"{thumbprint}/{claims['jti']}")


def _believe_assertion(assertion: str, directory: Directory, now: int) -> tuple[_Assertion, str]:
    """Check who signed a log-in, and return by which key.

    That a partner is suspended or a key revoked, anybody can read in the directory.
    """
    try:
        jws = parse_jws(assertion, typ=ASSERTION_TYP)
        claims = parse_wire(_Assertion, jws.payload)
        directory.check_active(claims.iss)
        key = directory.signing_key(jws.kid, iss=claims.iss, at=now)
        verify_jws(jws, alg=key.alg, public=decode_b64url(key.pub))
    except PartnerSuspendedError:
        raise
    except KeyNotValidError as error:
        raise LoginKeyError from error
    except ValiseError as error:
        raise UnauthenticatedError(f"assertion: {error.code}") from error
    return claims, jws.kid


def _thumbprint(public: dict[str, str]) -> str:
    """RFC 7638 for an OKP key (RFC 8037 section 2)."""
    members = {name: public[name] for name in ("crv", "kty", "x")}
    return encode_b64url(sha256(write_json(members)))
