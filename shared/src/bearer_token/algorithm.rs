//! The signature algorithms that are believed (RFC 7518 §3, RFC 8037 §3.1). All of them are asymmetric: a secret shared
//! with an issuer is none, and `none` is no algorithm.

/// An algorithm of `alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// `None` for every other name; names are case-sensitive (RFC 7515 §4.1.1).
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}
