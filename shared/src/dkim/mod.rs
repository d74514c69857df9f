//! DKIM (RFC 6376, RFC 8301, RFC 8463): who takes responsibility for a message?
//!
//! | file | what |
//! |---|---|
//! | `signature` | what a `DKIM-Signature` field says (§3.5), and what forbids to accept it |
//! | `fault` | why a signature does not count (§6.1) |
//! | `key` | what a key record allows (§3.6.1), and what its key verifies |
//! | `canonical` | what a signature covers (§3.4) |
//! | `verify` | the signatures of a message, judged (§6.1.3) |
//!
//! ARC signs in the same way and uses all of it. The signatures of public keys are verified by mail-auth.

mod canonical;
mod fault;
mod key;
mod signature;
mod verify;

pub use crate::rsa_key::{MAX_RSA_BITS, MIN_RSA_BITS, STRONG_RSA_BITS};
pub use canonical::{BodyHash, Canonicalization};
pub use fault::SignatureFault;
pub use key::{Key, KeyFault, KeyStrength, key_policy};
pub use signature::{Algorithm, CLOCK_SKEW_SECONDS, Signature, SignatureFacts, Signer, unsigned_added};
pub(crate) use signature::{body_hash, canonicalization, check_body_length, required, signature, signed_fields, time};
pub(crate) use verify::append_signature_field;
pub use verify::{Candidate, KeyRecords, MAX_SIGNED_OCTETS, SignedMessage, candidates};
