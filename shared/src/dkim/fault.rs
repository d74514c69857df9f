//! Why a DKIM signature, or a field of an ARC set, does not count (RFC 6376 §6.1.1, RFC 8301).

use super::key::KeyFault;
use crate::{authentication::DkimResult, tag_list::TagListFault};

/// Why a signature does not count. Also of the fields of an ARC set, which are written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureFault {
    TagList(TagListFault),
    /// A required tag, by name, is missing or empty.
    MissingTag(&'static str),
    /// `v=` other than 1.
    UnknownVersion,
    /// `a=rsa-sha1` (RFC 8301 §3.1).
    Sha1,
    UnknownAlgorithm,
    BadDomain,
    BadSelector,
    /// `h=` with something that is not a field name.
    BadSignedFields,
    TooManySignedFields,
    FromNotSigned,
    /// `b=` or `bh=`, by name.
    BadBase64(&'static str),
    /// `bh=` that is not 32 octets long, as SHA-256 is.
    BadBodyHash,
    UnknownCanonicalization,
    UnknownQueryMethod,
    /// `t=` or `x=`, by name, is not up to 12 digits.
    BadTime(&'static str),
    SignedInFuture,
    ExpiresBeforeSigned,
    Expired,
    /// `l=`: whatever is appended to the body would keep the signature valid (RFC 6376 §8.2).
    BodyLengthLimit,
    /// `i=` outside `d=`.
    ForeignIdentity,
    Key(KeyFault),
    /// The signed fields are longer than anybody reads.
    TooMuchSigned,
    /// The body is not the one that was signed.
    BodyAltered,
    /// The signed fields are not those that were signed, or the key is another.
    NotVerified,
}

impl From<TagListFault> for SignatureFault {
    fn from(fault: TagListFault) -> Self {
        Self::TagList(fault)
    }
}

impl From<KeyFault> for SignatureFault {
    fn from(fault: KeyFault) -> Self {
        Self::Key(fault)
    }
}

impl SignatureFault {
    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TagList(fault) => fault.code(),
            Self::MissingTag(_) => "missing_tag",
            Self::UnknownVersion => "unknown_version",
            Self::Sha1 => "sha1",
            Self::UnknownAlgorithm => "unknown_algorithm",
            Self::BadDomain => "bad_domain",
            Self::BadSelector => "bad_selector",
            Self::BadSignedFields => "bad_signed_fields",
            Self::TooManySignedFields => "too_many_signed_fields",
            Self::FromNotSigned => "from_not_signed",
            Self::BadBase64(_) => "bad_base64",
            Self::BadBodyHash => "bad_body_hash",
            Self::UnknownCanonicalization => "unknown_canonicalization",
            Self::UnknownQueryMethod => "unknown_query_method",
            Self::BadTime(_) => "bad_time",
            Self::SignedInFuture => "signed_in_future",
            Self::ExpiresBeforeSigned => "expires_before_signed",
            Self::Expired => "expired",
            Self::BodyLengthLimit => "body_length_limit",
            Self::ForeignIdentity => "foreign_identity",
            Self::Key(fault) => fault.code(),
            Self::TooMuchSigned => "too_much_signed",
            Self::BodyAltered => "body_altered",
            Self::NotVerified => "not_verified",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn detail(self) -> String {
        let sentence = match self {
            Self::TagList(fault) => fault.detail(),
            Self::MissingTag(name) => return format!("The tag {name}= is missing or empty."),
            Self::UnknownVersion => "The tag v= is not 1.",
            Self::Sha1 => "The signature is made with SHA-1, which proves nothing any more.",
            Self::UnknownAlgorithm => "The algorithm is neither rsa-sha256 nor ed25519-sha256.",
            Self::BadDomain => "The tag d= is not a domain.",
            Self::BadSelector => "The tag s= is not a selector.",
            Self::BadSignedFields => "The tag h= is not a list of field names.",
            Self::TooManySignedFields => "The tag h= has more than 200 names.",
            Self::FromNotSigned => "The From field is not signed.",
            Self::BadBase64(name) => return format!("The tag {name}= is not base64."),
            Self::BadBodyHash => "The tag bh= is not a SHA-256 hash.",
            Self::UnknownCanonicalization => "The canonicalization is neither simple nor relaxed.",
            Self::UnknownQueryMethod => "The tag q= has no dns/txt.",
            Self::BadTime(name) => return format!("The tag {name}= is not a time in seconds."),
            Self::SignedInFuture => "The signature is dated in the future.",
            Self::ExpiresBeforeSigned => "The signature expires before it was made.",
            Self::Expired => "The signature has expired.",
            Self::BodyLengthLimit => "The signature covers only the beginning of the body (l=).",
            Self::ForeignIdentity => "The identity i= is outside the domain d=.",
            Self::Key(fault) => fault.detail(),
            Self::TooMuchSigned => "The signed fields have more than 2 MB.",
            Self::BodyAltered => "The body was changed after it was signed.",
            Self::NotVerified => "A signed field was changed after it was signed, or the key is not the signer's.",
        };
        sentence.to_owned()
    }

    /// In the words of RFC 8601 §2.7.1: neutral for syntax errors and what we choose not to check, permerror where no
    /// verifier could do better, fail where the signature itself says that it is not to be relied on.
    #[must_use]
    pub const fn result(self) -> DkimResult {
        match self {
            Self::TagList(_)
            | Self::BadDomain
            | Self::BadSelector
            | Self::BadSignedFields
            | Self::TooManySignedFields
            | Self::BadBase64(_)
            | Self::BadBodyHash
            | Self::BadTime(_)
            | Self::TooMuchSigned
            | Self::BodyLengthLimit => DkimResult::Neutral,
            Self::MissingTag(_)
            | Self::UnknownVersion
            | Self::UnknownAlgorithm
            | Self::FromNotSigned
            | Self::UnknownCanonicalization
            | Self::UnknownQueryMethod
            | Self::ExpiresBeforeSigned
            | Self::ForeignIdentity => DkimResult::PermError,
            Self::Sha1 | Self::SignedInFuture | Self::Expired | Self::BodyAltered | Self::NotVerified => {
                DkimResult::Fail
            }
            Self::Key(fault) => fault.result(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_result_in_the_words_of_rfc_8601() {
        use SignatureFault::*;
        for (fault, expected) in [
            (TagList(TagListFault::DuplicateTag), DkimResult::Neutral),
            (BodyLengthLimit, DkimResult::Neutral),
            (MissingTag("d"), DkimResult::PermError),
            (FromNotSigned, DkimResult::PermError),
            (ExpiresBeforeSigned, DkimResult::PermError),
            (Sha1, DkimResult::Fail),
            (Expired, DkimResult::Fail),
            (SignedInFuture, DkimResult::Fail),
            (BodyAltered, DkimResult::Fail),
            (NotVerified, DkimResult::Fail),
            (Key(KeyFault::Revoked), DkimResult::PermError),
            (Key(KeyFault::Unanswered), DkimResult::TempError),
        ] {
            assert_eq!(fault.result(), expected, "{fault:?}");
        }
    }
}
