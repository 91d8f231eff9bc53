"""The one tree of errors, each leaf with the code that crosses the wire.

Not for: HTTP status codes (`hub/api/problems.py` has the only table) nor for wording that depends on a message's
content. Implements `docs/protocol/10-errors.md`.

    ValiseError
      EncodingError      encoding/...    bytes that are not what their format says
      EnvelopeError      envelope/...    a message as it travels
      SignatureError     signature/...   who signed, and whether
      SealError          seal/...        encryption to, and opening by, an addressee
      ContentError       content/...     warning, feedback and seizure as an officer writes them
      DirectoryError     directory/...   partners, keys and enrolment
      PolicyError        policy/...      policy sets and decisions
      LogError           log/...         the transparency log
      EvidenceError      evidence/...    one delivery, checked offline
      KeystoreError      keystore/...    keys at rest
      ExchangeError      exchange/...    a hub's answer to a request
      StoreError         store/...       what is kept on disk
      InteropError       interop/...     files, webhook and mail of the agency's own systems
      SetupError         setup/...       settings, files and folders of a program

`code` and `sentence` are constants of the class, so that nothing of a message can leak through them. `detail` is for
our own output only and never crosses the wire.
"""

from typing import ClassVar


class ValiseError(Exception):
    """Every error that this project raises on purpose.

    Attributes:
        code: the wire code, `family/leaf`.
        sentence: what is wrong and what a person can do about it; constant, so it holds no content.
        detail: more for our own output; never sent to anybody.
        facts: numbers for whoever asked, such as after how many seconds to ask again; never of a message.
    """

    code: ClassVar[str] = "valise/error"
    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, detail: str = "", **facts: int) -> None:
        super().__init__(detail or self.sentence)
        self.detail = detail
        self.facts = facts


# --- encoding: bytes that are not what their format says ---------------------------------------------------------


class EncodingError(ValiseError):
    """Bytes that are not what their format says."""


class Base64Error(EncodingError):
    """Not canonical base64url without padding (RFC 4648 section 5, RFC 7515 section 2)."""

    code = "encoding/base64"
    sentence = "A field is not unpadded base64url; encode it again with the client of this release."


class JsonError(EncodingError):
    """Not the strict JSON of `docs/protocol/01-encoding.md`."""

    code = "encoding/json"
    sentence = (
        "A part is not strict JSON (duplicate members, fractions, NaN and deep nesting are refused); correct the "
        "program that wrote it."
    )


class FrameError(EncodingError):
    """The length-prefixed frame is cut short or has bytes left over."""

    code = "encoding/frame"
    sentence = "The frame's lengths do not add up; the transfer was cut or altered, send it again."


# --- envelope: a message as it travels ---------------------------------------------------------------------------


class EnvelopeError(ValiseError):
    """A message as it travels is not acceptable."""


class TooLargeError(EnvelopeError):
    """A limit of `docs/protocol/02-envelope.md` section 3 is exceeded."""

    code = "envelope/too-large"
    sentence = "The message is larger than the exchange accepts; shorten it or send the attachment separately."


class MalformedError(EnvelopeError):
    """A part lacks a member, has one too many, or has one of another type."""

    code = "envelope/malformed"
    sentence = "The message does not have the shape of valise/1; correct or update the program that made it."


class UnknownSuiteError(EnvelopeError):
    """The suite is not on the allow-list; nothing is negotiated."""

    code = "envelope/unknown-suite"
    sentence = "The message names a cipher suite that this exchange does not allow; update the originator's connector."


class WrongFederationError(EnvelopeError):
    """The message was made for another federation."""

    code = "envelope/wrong-federation"
    sentence = "The message was made for another exchange; send it with the keys and settings of this one."


class ExpiredError(EnvelopeError):
    """`exp` has passed."""

    code = "envelope/expired"
    sentence = "The message has expired; check the clock, or send it again with a later expiry."


class NotYetValidError(EnvelopeError):
    """`iat` lies in the future beyond the tolerated skew."""

    code = "envelope/not-yet-valid"
    sentence = "The message is dated in the future; correct the clock of the originator's connector."


class ReplayError(EnvelopeError):
    """The pair of originator and `jti` was accepted before with other bytes."""

    code = "envelope/replayed"
    sentence = "Another message with this identifier was accepted before; make a new message with a new identifier."


class ForkError(EnvelopeError):
    """The originator's key signed two different messages with one sequence number."""

    code = "envelope/forked"
    sentence = (
        "Two different messages carry the same sequence number of one key; the refused one is kept as evidence. Find "
        "out whether the key is used in two places."
    )


class DigestError(EnvelopeError):
    """A disclosure, wrap, sealed key or blob does not have the digest that the originator signed."""

    code = "envelope/digest-mismatch"
    sentence = "A part of the message is not what the originator signed; it was altered on the way, refuse it."


class AudienceError(EnvelopeError):
    """The addressee leaves do not lead to the root that the originator signed."""

    code = "envelope/wrong-audience"
    sentence = "The list of addressees is not the one that the originator signed; refuse the message."


class NotAddressedError(EnvelopeError):
    """The copy's leaf names another addressee."""

    code = "envelope/not-addressed"
    sentence = "The originator did not address this copy to this partner; refuse it and report it to the originator."


class WithheldMismatchError(EnvelopeError):
    """What is missing is not what the decisions say was withheld."""

    code = "envelope/undeclared-withholding"
    sentence = (
        "A compartment is missing although no hub declared that it withheld it; refuse the copy and ask the hub why."
    )


class DecisionChainError(EnvelopeError):
    """A decision is missing, is for somebody else, is out of order or widens an earlier one."""

    code = "envelope/broken-decision-chain"
    sentence = "The hubs' decisions do not form one narrowing chain for this partner; refuse the copy and report it."


class ThreadError(EnvelopeError):
    """An update, cancellation or answer refers to a message that it may not refer to."""

    code = "envelope/wrong-reference"
    sentence = "The message refers to one that is unknown here or is another originator's; check the reference."


class MarksLoosenedError(EnvelopeError):
    """A derived message carries looser marks than what it derives from."""

    code = "envelope/marks-loosened"
    sentence = "An answer or update is marked less strictly than the message it refers to; raise its marks."


# --- signature: who signed, and whether -------------------------------------------------------------------------


class SignatureError(ValiseError):
    """A signed object is not to be believed."""


class JwsError(SignatureError):
    """Not a strict compact JWS (RFC 7515 section 7.1, `docs/protocol/01-encoding.md`)."""

    code = "signature/malformed"
    sentence = "A signed object is not a strict compact JWS; correct or update the program that made it."


class WrongTypeError(SignatureError):
    """`typ` is not the one expected here (RFC 8725 section 3.11)."""

    code = "signature/wrong-type"
    sentence = "A signed object of another type stands in this place; refuse it."


class AlgorithmError(SignatureError):
    """`alg` is not the one that the key is registered for."""

    code = "signature/wrong-algorithm"
    sentence = "A signed object names an algorithm that its key is not registered for; refuse it."


class BadSignatureError(SignatureError):
    """The signature is not the key's over these bytes."""

    code = "signature/invalid"
    sentence = "The signature does not fit the bytes: the object was altered, or another key signed it. Refuse it."


class MissingSignatureError(SignatureError):
    """A signature that the manifest or the directory requires is absent."""

    code = "signature/missing"
    sentence = (
        "A required second signature is missing; it was stripped on the way, or the originator's settings are old."
    )


class WrongOriginatorError(SignatureError):
    """The key belongs to another partner than the one that the object names."""

    code = "signature/wrong-originator"
    sentence = "The key that signed does not belong to the named originator; refuse the object."


class UnknownKeyError(SignatureError):
    """The directory knows no such key."""

    code = "signature/unknown-key"
    sentence = "The directory knows no such key; refresh the directory, or ask the partner to enrol the key."


class KeyNotValidError(SignatureError):
    """The key was not valid yet, or no longer, at the time of signing."""

    code = "signature/key-not-valid"
    sentence = "The key was not valid when the object was signed; ask the partner for one signed with its current key."


class RevokedKeyError(KeyNotValidError):
    """The key was revoked by its directory authority, from before the object was signed or taken in."""

    code = "signature/key-revoked"
    sentence = "The key was revoked; whoever signed with it must have new keys enrolled, and may have been robbed."


# --- seal: encryption to, and opening by, an addressee ------------------------------------------------------------


class SealError(ValiseError):
    """Sealing or opening failed."""


class NoAddresseeKeyError(SealError):
    """An addressee has no valid encryption key; nothing was sealed."""

    code = "seal/no-addressee-key"
    sentence = (
        "An addressee has no valid encryption key, so nothing was sealed; leave it out or wait until it enrols one."
    )


class NoOpeningKeyError(SealError):
    """The copy is sealed to a key that this keystore does not hold (any longer)."""

    code = "seal/no-opening-key"
    sentence = "The copy is sealed to a key that this keystore does not hold; restore the key, or ask for it again."


class OpenError(SealError):
    """A sealed key, wrap or ciphertext does not open."""

    code = "seal/not-openable"
    sentence = (
        "The copy does not open with this agency's key although its digests fit; ask the originator to send it again."
    )


class CommitmentError(SealError):
    """The key commitment differs: the ciphertext was made to open to different texts under different keys."""

    code = "seal/commitment-mismatch"
    sentence = (
        "The content key is not the one that the originator committed to; the message was made to read differently to "
        "different partners. Refuse it and report the originator."
    )


class PaddingError(SealError):
    """The padding inside a compartment is not the one of `docs/protocol/03-keys.md`."""

    code = "seal/bad-padding"
    sentence = "A compartment's padding is wrong; update the originator's connector."


# --- content: what an officer writes ------------------------------------------------------------------------------


class ContentError(ValiseError):
    """Content does not have the shape that its label promises.

    Attributes:
        field: where, as `compartment.field.index`; empty when the whole part is meant.
    """

    code = "content/invalid"
    sentence = "A field of the message is missing or wrong; correct the field that is named and try again."

    def __init__(self, detail: str = "", *, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


class CodeListError(ContentError):
    """A value is not in its code list."""

    code = "content/unknown-code"
    sentence = "A value is not in its code list; use one of the codes of the glossary."


class CheckDigitError(ContentError):
    """A container, ship or document number fails its check digit."""

    code = "content/check-digit"
    sentence = "A number fails its check digit; read it again from the source."


class PurgedError(ContentError):
    """The copy's retention ended, and its content was destroyed here."""

    code = "content/purged"
    sentence = "The content was destroyed here when its retention ended; ask the originator if it is still needed."


# --- directory: partners, keys and enrolment ----------------------------------------------------------------------


class DirectoryError(ValiseError):
    """The directory or an entry of it is not to be believed."""


class UnknownPartnerError(DirectoryError):
    """The directory knows no such partner."""

    code = "directory/unknown-partner"
    sentence = "The directory knows no such partner; check the code, or refresh the directory."


class PartnerSuspendedError(DirectoryError):
    """The partner is suspended."""

    code = "directory/partner-suspended"
    sentence = "The partner is suspended; ask the exchange's operator."


class StaleDirectoryError(DirectoryError):
    """The directory's metadata has expired, was rolled back or mixes versions."""

    code = "directory/stale"
    sentence = "The directory is out of date or was rolled back; refresh it, and check the clock if that does not help."


class UntrustedDirectoryError(DirectoryError):
    """The directory is not signed by the roles that the trusted root names."""

    code = "directory/untrusted"
    sentence = "The directory is not signed by the authorities that this exchange trusts; do not use it."


class PartnerRecordError(DirectoryError):
    """A partner's record does not have the shape of `docs/protocol/09-directory.md` section 1."""

    code = "directory/bad-record"
    sentence = "A partner's record is malformed or of another version; update the program, or tell its authority."


class WeakKeyError(DirectoryError):
    """A public key is not canonical, not on the curve, of small order or the identity."""

    code = "directory/weak-key"
    sentence = "A public key is malformed or weak; generate a new key pair with this release and enrol that."


class PossessionError(DirectoryError):
    """The enrolment does not prove that the partner holds the private key."""

    code = "directory/no-possession"
    sentence = "The enrolment does not prove possession of every key; make the request again on the host with the keys."


class EnrolmentError(DirectoryError):
    """The enrolment request is malformed or names a code outside the authority's country."""

    code = "directory/bad-enrolment"
    sentence = "The enrolment request is not acceptable; check the partner's code, country and kind."


class NotARenewalError(DirectoryError):
    """A request that is to be believed without a ceremony is not vouched for by the keys in the directory."""

    code = "directory/not-a-renewal"
    sentence = (
        "The request is not a renewal that the partner's current keys vouch for; challenge it and compare fingerprints."
    )


# --- policy: policy sets and decisions ---------------------------------------------------------------------------


class PolicyError(ValiseError):
    """A policy set cannot be used, or a decision cannot be believed."""


class PolicySetError(PolicyError):
    """A policy set is malformed; the active set stays."""

    code = "policy/bad-set"
    sentence = "The policy set is not usable; correct the named file and line. The active set stays in force."


class UnknownPolicySetError(PolicyError):
    """A decision cites a policy set that is not at hand."""

    code = "policy/unknown-set"
    sentence = "The decision cites a policy set that is not here; fetch the set with the cited digest."


class DeniedError(PolicyError):
    """Policy lets nothing go to anybody."""

    code = "policy/denied"
    sentence = "Policy lets none of this message go to any addressee; ask for the audience to see each reason."


class RecomputationError(PolicyError):
    """A recorded decision is not what its recorded inputs lead to."""

    code = "policy/not-reproducible"
    sentence = "The recorded decision does not follow from its recorded inputs; report the hub that signed it."


# --- log: the transparency log -----------------------------------------------------------------------------------


class LogError(ValiseError):
    """The log, or a proof about it, is not to be believed."""


class NoteError(LogError):
    """Not a C2SP signed note or checkpoint."""

    code = "log/bad-note"
    sentence = "The checkpoint is not a valid signed note; fetch it again, and report the log if that does not help."


class NoteSignatureError(LogError):
    """No signature of a trusted key stands on the note."""

    code = "log/untrusted-note"
    sentence = "The checkpoint is not signed by the log that is trusted here; do not rely on it."


class EntryError(LogError):
    """Not an entry of the log: not a salted commitment of a known kind."""

    code = "log/bad-entry"
    sentence = "The log holds something that is not an entry of this version; update the program or report the hub."


class InclusionError(LogError):
    """An inclusion proof does not lead to the checkpoint's root."""

    code = "log/not-included"
    sentence = "The proof does not show that the entry is in the log; report the hub."


class ConsistencyError(LogError):
    """A consistency proof does not connect two checkpoints: the log was rewritten."""

    code = "log/forked"
    sentence = "The log shows two histories; keep both checkpoints, stop relying on the hub and report it."


class RollbackError(LogError):
    """The log shows fewer entries than it showed before."""

    code = "log/rolled-back"
    sentence = "The log is shorter than it was; keep both checkpoints, stop relying on the hub and report it."


class LogRangeError(LogError):
    """An index, size or tile outside the log."""

    code = "log/out-of-range"
    sentence = "The log has no such entry or tile; ask for an index below the checkpoint's size."


# --- evidence: one delivery, checked offline ---------------------------------------------------------------------


class EvidenceError(ValiseError):
    """An evidence file does not prove what it should."""


class EvidenceFormatError(EvidenceError):
    """Not an evidence file of this version."""

    code = "evidence/malformed"
    sentence = "This is not an evidence file of this version, or it was altered; ask for it again."


class EvidenceMismatchError(EvidenceError):
    """Two parts of an evidence file do not belong together."""

    code = "evidence/mismatch"
    sentence = "Parts of the evidence file do not belong together; it proves nothing, ask for it again."


class EvidenceAnchorError(EvidenceError):
    """The anchors (trusted root, log key) are missing or are not those that the file leads to."""

    code = "evidence/wrong-anchors"
    sentence = (
        "The evidence does not lead to the given anchors: the file was altered, or the anchors are another exchange's."
    )


# --- keystore: keys at rest --------------------------------------------------------------------------------------


class KeystoreError(ValiseError):
    """Keys at rest cannot be used."""


class PassphraseError(KeystoreError):
    """The passphrase does not open the keystore (or the keystore was altered: the two cannot be told apart)."""

    code = "keystore/wrong-passphrase"
    sentence = "The passphrase does not open the keystore, or the file was altered; try again, or restore the backup."


class CorruptKeystoreError(KeystoreError):
    """Not a keystore of this version."""

    code = "keystore/corrupt"
    sentence = "The keystore is damaged or of another version; restore it from its backup."


class FullKeystoreError(KeystoreError):
    """The keystore holds as many keys as a record may list."""

    code = "keystore/full"
    sentence = "The keystore holds 64 keys; make fewer ahead, and again when older ones were destroyed."


class MissingKeyError(KeystoreError):
    """The keystore holds no such key."""

    code = "keystore/no-such-key"
    sentence = "The keystore does not hold the key that is needed; check that it is the right keystore."


class NotEnrolledError(KeystoreError):
    """The keystore has valid keys for this use, and the directory in force lists none of them as valid."""

    code = "keystore/not-enrolled"
    sentence = (
        "The directory lists no key of this keystore as valid; have its keys enrolled, or use the right keystore."
    )


class AmbiguousKeyError(KeystoreError):
    """The token holds more than one key of this name."""

    code = "keystore/ambiguous-key"
    sentence = "The token holds several keys of one name; delete all but the one whose public key is in the keystore."


class TokenError(KeystoreError):
    """The token does not do what it is asked."""

    code = "keystore/token-failed"
    sentence = "The token refused or failed; look at it with the maker's own tool, then try again."


class TokenAbsentError(TokenError):
    """The token, or the library that leads to it, is not there."""

    code = "keystore/no-token"
    sentence = "The token is not there; plug it in, or correct pkcs11_module and pkcs11_token in the settings."


class TokenPinError(TokenError):
    """The token does not take the PIN."""

    code = "keystore/wrong-pin"
    sentence = "The token does not take the PIN; correct it before the token locks itself."


# --- exchange: a hub's answer to a request -----------------------------------------------------------------------


class ExchangeError(ValiseError):
    """The hub refuses a request."""


class UnauthenticatedError(ExchangeError):
    """No session, or one that has expired or belongs to another key."""

    code = "exchange/unauthenticated"
    sentence = "The session is missing or has expired; log in again with the agency's keystore."


class ClockError(UnauthenticatedError):
    """A proof or assertion is dated more than a minute away from the hub's clock; the answer tells the hub's time."""

    code = "exchange/wrong-clock"
    sentence = "This machine's clock and the hub's differ by more than a minute; set the clock, then try again."


class ReplayedProofError(UnauthenticatedError):
    """A proof or an assertion was used before."""

    code = "exchange/replayed-proof"
    sentence = (
        "This proof was used before; make a fresh one for each request, and find out whether somebody repeats them."
    )


class WrongBodyError(UnauthenticatedError):
    """The body is not the one whose digest the proof covers."""

    code = "exchange/wrong-body"
    sentence = "The body is not the one that the proof covers; something on the way altered it, or the client is wrong."


class TokenExpiredError(UnauthenticatedError):
    """The session's five minutes have passed."""

    code = "exchange/token-expired"
    sentence = "The session has expired; log in again."


class TokenKeyError(UnauthenticatedError):
    """The token is bound to another session key, or to another client certificate, than the request shows."""

    code = "exchange/token-of-another-key"
    sentence = "The token belongs to another session key or certificate; log in again on this line."


class LoginKeyError(UnauthenticatedError):
    """The key that signed the log-in was revoked, has ended, or is not valid yet."""

    code = "exchange/key-not-valid"
    sentence = "The agency's signing key was revoked or has ended; use its current key, or enrol a new one."


class ForbiddenError(ExchangeError):
    """The partner may not see or do this; also the answer for what does not exist for it."""

    code = "exchange/forbidden"
    sentence = "This partner may not do that; ask the exchange's operator."


class NotFoundError(ExchangeError):
    """There is no such thing for this partner."""

    code = "exchange/not-found"
    sentence = "There is no such thing here for this partner; check the identifier."


class RequestError(ExchangeError):
    """The request is not of the form that the interface takes."""

    code = "exchange/bad-request"
    sentence = "The request does not have the form that the interface takes; see the API reference."


class BusyError(ExchangeError):
    """The hub cannot take the request now; nothing was stored."""

    code = "exchange/busy"
    sentence = "The hub cannot take the request now; nothing was stored, send it again in a moment."


class OverQuotaError(BusyError):
    """The partner, or the address, has used up what it may ask for in this time; nothing was stored."""

    code = "exchange/over-quota"
    sentence = "The quota of this partner or address is used up; nothing was stored, try again after the given time."


class ContentCodingError(ExchangeError):
    """The body is compressed; the hub unpacks nothing that a stranger packed."""

    code = "exchange/content-coding"
    sentence = "The hub takes no compressed bodies; send the body as it is."


class AmbiguousNumberError(ExchangeError):
    """Several messages' numbers begin as given."""

    code = "exchange/ambiguous-number"
    sentence = "Several messages have numbers that begin like this; give more characters of the one that is meant."


class NotReadyError(ExchangeError):
    """The hub cannot accept a message now, and knows why."""

    code = "exchange/not-ready"
    sentence = "The hub is not ready for messages; its operator sees why. What waits in the outbox is sent later."


class UploadOffsetError(ExchangeError):
    """A chunk of an upload does not begin where the last one ended; the answer tells where that is."""

    code = "exchange/wrong-offset"
    sentence = "The chunk does not continue the upload; go on from the offset that the answer names."


class UnreachableError(ExchangeError):
    """The hub cannot be reached; what was handed over before waits in the outbox."""

    code = "exchange/unreachable"
    sentence = "The hub cannot be reached; what was handed over waits in the outbox, anything else can be tried again."


class HubCertificateError(UnreachableError):
    """The hub's certificate is not signed by an authority that is trusted here, or is another host's."""

    code = "exchange/hub-certificate"
    sentence = "The hub's certificate is not trusted here; check hub_url and ca_file, and do not switch the check off."


class CertificateExpiredError(UnreachableError):
    """The hub's certificate has expired or is not valid yet."""

    code = "exchange/hub-certificate-expired"
    sentence = "The hub's certificate has expired or is not valid yet; check this clock, then tell the hub's operator."


class ClientCertificateError(UnreachableError):
    """The hub refused this connector's certificate, or wants one and got none."""

    code = "exchange/client-certificate"
    sentence = (
        "The hub refused this connector's certificate, or wants one; check client_certificate and client_key, and "
        "whether it has expired."
    )


class TlsVersionError(UnreachableError):
    """The two ends have no version of TLS in common; nothing below 1.3 is spoken."""

    code = "exchange/tls-version"
    sentence = "The hub and this connector share no version of TLS; both must speak TLS 1.3."


class AnswerError(ExchangeError):
    """A hub's answer is not of the form that the interface gives, or is not about what was asked."""

    code = "exchange/bad-answer"
    sentence = (
        "The hub's answer is not what the interface promises; check the hub's address, and report it if it is right."
    )


class InternalError(ExchangeError):
    """The hub failed in a way it did not foresee; whether something was stored is not known."""

    code = "exchange/internal"
    sentence = "The hub failed; send the same message again (it will not be delivered twice) and tell the operator."


class OperationError(ExchangeError):
    """The operation is unknown, not open, or this partner is not in it."""

    code = "exchange/operation"
    sentence = "The operation is unknown, is not open today, or does not have this partner as a member."


# --- store and setup ---------------------------------------------------------------------------------------------


class StoreError(ValiseError):
    """What is kept on disk cannot be read or written; the write may or may not have been kept, so repeat it."""

    code = "store/failed"
    sentence = "The store could not be read or written; check the disk, then send the same again."


class StoreVersionError(StoreError):
    """The store was written by another version."""

    code = "store/wrong-version"
    sentence = "The store was written by another version of the program; use that version or migrate the store."


class StoreFullError(StoreError):
    """There is no room left on the disk; nothing half-written remains."""

    code = "store/full"
    sentence = "The disk is full; make room, then send the same again."


class StoreLockedError(StoreError):
    """Another program holds the store."""

    code = "store/locked"
    sentence = "Another program holds the store; end it or wait for it, then send the same again."


class StoreInUseError(StoreError):
    """Another hub runs on the same store; two would sign two logs."""

    code = "store/in-use"
    sentence = "A hub runs on this store already; end it before you start another."


class StoreStoppedError(StoreError):
    """What writes the store has ended; nothing can be made durable until the program is started again."""

    code = "store/stopped"
    sentence = "The hub can no longer write its store; its operator must start it again, then send the same again."


class StoreCorruptError(StoreError):
    """What is on disk is not a store, or is damaged."""

    code = "store/corrupt"
    sentence = "The store is damaged or is not a store; restore it from its backup."


class BackupError(StoreError):
    """A backup is damaged, is of something else, or holds a store that is not sound."""

    code = "store/bad-backup"
    sentence = "The backup is damaged or of something else; use another one, and find out what happened to this one."


class RolledBackError(StoreError):
    """The store was restored from a backup, and nobody has said yet that what came after it is lost."""

    code = "store/rolled-back"
    sentence = (
        "The store was restored from a backup: partners may hold promises that it does not know. Read "
        "docs/how-to/back-up-and-restore.md before starting with --accept-rollback."
    )


class InteropError(ValiseError):
    """The agency's own systems: what comes from them, and what they are told."""


class TableError(InteropError):
    """A file as a whole cannot be read as rows; nothing of it was sent. A row's own fault is a `ContentError`."""

    code = "interop/bad-table"
    sentence = "The file cannot be read as rows; the next line says where and what to do. Nothing of it was sent."


class WebhookError(InteropError):
    """The national system did not take an event; it is posted again later, in the order of its thread."""

    code = "interop/webhook"
    sentence = "The webhook did not take an event; it is posted again later. Check the address and what listens there."


class MailError(InteropError):
    """The mail server did not take a notice; it is tried again later."""

    code = "interop/mail"
    sentence = "The mail server did not take the notice; it is tried again later. Check [mail] in agency.toml."


class SetupError(ValiseError):
    """Settings, files or folders of a program are not as they must be."""

    code = "setup/invalid"
    sentence = "A file, folder or setting is missing or wrong; the next line names it."


class ExposedFileError(SetupError):
    """Others than its owner may read a file with secrets."""

    code = "setup/exposed-file"
    sentence = "Others than its owner may read a file with secrets; take their permission away (chmod 600)."
