//! Which texts name a domain whose posture can be judged.

use std::net::IpAddr;

use crate::address::{Domain, DomainError};

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error("the domain has only one label")]
    SingleLabel,
    #[error("an IP address is not a domain")]
    IpAddress,
}

/// Takes a name of at least two labels, U-labels included.
///
/// # Errors
/// The first rule that the text breaks.
pub fn subject(text: &str) -> Result<Domain, SubjectError> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(SubjectError::IpAddress);
    }
    let domain = Domain::parse(text)?;
    if domain.labels().nth(1).is_none() { Err(SubjectError::SingleLabel) } else { Ok(domain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_domain_of_two_labels_or_more() {
        for (text, expected) in [
            ("Example.COM", Ok("example.com")),
            ("bücher.example", Ok("xn--bcher-kva.example")),
            ("com", Err(SubjectError::SingleLabel)),
            ("192.0.2.1", Err(SubjectError::IpAddress)),
            ("2001:db8::1", Err(SubjectError::IpAddress)),
            ("", Err(SubjectError::Domain(DomainError::Empty))),
            ("example.com.", Err(SubjectError::Domain(DomainError::TrailingDot))),
            ("a..example", Err(SubjectError::Domain(DomainError::EmptyLabel))),
            ("_dmarc.example", Err(SubjectError::Domain(DomainError::Character('_')))),
            ("ann@example.com", Err(SubjectError::Domain(DomainError::Character('@')))),
        ] {
            assert_eq!(subject(text).as_ref().map(Domain::as_str), expected.as_ref().copied(), "{text}");
        }
    }
}
