//! Why an ARC chain fails, in codes and words.

use crate::dkim::{KeyFault, SignatureFault};

/// The three fields of a set, in the order in which a sealer adds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArcField {
    AuthenticationResults,
    MessageSignature,
    Seal,
}

/// Why a chain fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArcFault {
    TooManySets,
    /// `i=` is missing, or not from 1 to 50.
    BadInstance(ArcField),
    DuplicateInstance(ArcField),
    /// Some set lacks this field, or some number below the highest lacks a set.
    MissingField(ArcField),
    /// A fault in the tags of a signature or seal.
    Tags(ArcField, SignatureFault),
    /// `h=` of an `ARC-Message-Signature` names `ARC-Seal` (RFC 8617 §4.1.2).
    SignsSeal,
    /// `h=` in an `ARC-Seal` (RFC 8617 §4.1.3).
    SealWithSignedFields,
    /// `cv=` is not `none`, `pass` or `fail`.
    BadChainStatus,
    /// `cv=` that the place in the chain does not allow: `none` in the first set, `pass` in all others (RFC 8617 §5.2).
    WrongChainStatus,
    /// `cv=fail`: an earlier receiver saw the chain broken.
    SealedAsFailed,
}

impl ArcFault {
    /// DNS did not say enough, so that the chain may yet pass another time.
    #[must_use]
    pub const fn is_undecided(self) -> bool {
        matches!(self, Self::Tags(_, SignatureFault::Key(KeyFault::Unanswered)))
    }
}

impl ArcField {
    pub const ALL: [Self; 3] = [Self::AuthenticationResults, Self::MessageSignature, Self::Seal];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthenticationResults => "ARC-Authentication-Results",
            Self::MessageSignature => "ARC-Message-Signature",
            Self::Seal => "ARC-Seal",
        }
    }
}

impl ArcFault {
    /// Stable, for findings.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooManySets => "arc_too_many_sets",
            Self::BadInstance(_) => "arc_bad_instance",
            Self::DuplicateInstance(_) => "arc_duplicate_instance",
            Self::MissingField(_) => "arc_missing_field",
            Self::Tags(_, fault) => fault.code(),
            Self::SignsSeal => "arc_signs_seal",
            Self::SealWithSignedFields => "arc_seal_with_signed_fields",
            Self::BadChainStatus => "arc_bad_chain_status",
            Self::WrongChainStatus => "arc_wrong_chain_status",
            Self::SealedAsFailed => "arc_sealed_as_failed",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn detail(self) -> String {
        match self {
            Self::TooManySets => "The ARC chain has more than 50 sets.".to_owned(),
            Self::BadInstance(field) => format!("An {} has no number from 1 to 50.", field.name()),
            Self::DuplicateInstance(field) => format!("Two {} fields have the same number.", field.name()),
            Self::MissingField(field) => format!("A set of the ARC chain lacks its {}.", field.name()),
            Self::Tags(field, fault) => format!("In an {}: {}", field.name(), fault.detail()),
            Self::SignsSeal => "An ARC-Message-Signature signs ARC-Seal.".to_owned(),
            Self::SealWithSignedFields => "An ARC-Seal has the tag h=.".to_owned(),
            Self::BadChainStatus => "The tag cv= of an ARC-Seal is not none, pass or fail.".to_owned(),
            Self::WrongChainStatus => "The tag cv= of an ARC-Seal does not fit its place in the chain.".to_owned(),
            Self::SealedAsFailed => "An earlier receiver sealed the ARC chain as failed.".to_owned(),
        }
    }
}
