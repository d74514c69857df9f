//! What an evaluation asks of DNS, and what it may hear.

use std::net::IpAddr;

use super::name::is_nameable;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// ASCII labels of 1 to 63 octets with dots between them, at most 253 octets, no trailing dot. Nothing is escaped:
    /// a label may hold any octet but the dot, a backslash too, so it must not be read as the presentation form of a name.
    pub name: String,
    pub kind: QuestionKind,
}

/// The record types that somebody here asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionKind {
    Txt,
    A,
    Aaaa,
    Mx,
    Ptr,
    /// Whether a zone begins at the name.
    Soa,
    /// Whether the zone above vouches for keys of the one that begins at the name (RFC 4034 §5).
    Ds,
    /// Type 99, which RFC 7208 §3.1 discontinued.
    Spf,
}

/// What came back. At most one DNS message (65,535 octets) of records, aliases followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records of the type that was asked for.
    Records(Vec<Data>),
    /// The name exists, without such records.
    NoRecords,
    NxDomain,
    /// No answer, or any other response code.
    Failed,
}

/// The data of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// TXT: its character-strings, joined with nothing between them (RFC 7208 §3.3).
    Text(Vec<u8>),
    /// A and AAAA.
    Address(IpAddr),
    /// PTR, in the form of [`Question::name`]; a trailing dot does no harm. The root is the empty text.
    Name(String),
    /// MX; the name as in [`Data::Name`].
    MailHost { preference: u16, name: String },
    /// SOA, DS and SPF: that there is one is all that anybody wants to know.
    Other,
}

impl Answer {
    /// Whether this is a void lookup (RFC 7208 §4.6.4).
    pub(super) fn is_void(&self) -> bool {
        match self {
            Self::Records(records) => records.is_empty(),
            Self::NoRecords | Self::NxDomain => true,
            Self::Failed => false,
        }
    }

    /// None when DNS failed, which is something else than no records.
    pub(crate) fn records(self) -> Option<Vec<Data>> {
        match self {
            Self::Records(records) => Some(records),
            Self::NoRecords | Self::NxDomain => Some(Vec::new()),
            Self::Failed => None,
        }
    }
}

impl Data {
    pub(crate) fn as_text(&self) -> Option<&[u8]> {
        if let Self::Text(octets) = self { Some(octets) } else { None }
    }

    pub(crate) fn text(self) -> Option<Vec<u8>> {
        if let Self::Text(octets) = self { Some(octets) } else { None }
    }

    pub(super) fn address(self) -> Option<IpAddr> {
        if let Self::Address(address) = self { Some(address) } else { None }
    }

    pub(super) fn name(self) -> Option<String> {
        match self {
            Self::Name(name) | Self::MailHost { name, .. } => Some(name),
            Self::Text(_) | Self::Address(_) | Self::Other => None,
        }
    }
}

/// The only way to a question. What DNS cannot be asked for does not exist.
pub(crate) async fn ask<F>(lookup: &impl Fn(Question) -> F, name: &str, kind: QuestionKind) -> Answer
where
    F: Future<Output = Answer>,
{
    if is_nameable(name) { lookup(Question { name: name.to_owned(), kind }).await } else { Answer::NxDomain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_records_is_void_and_a_failure_is_not() {
        let text = || Data::Text(b"v=spf1".to_vec());
        for (answer, is_void, records) in [
            (Answer::Records(vec![text()]), false, Some(vec![text()])),
            (Answer::Records(Vec::new()), true, Some(Vec::new())),
            (Answer::NoRecords, true, Some(Vec::new())),
            (Answer::NxDomain, true, Some(Vec::new())),
            (Answer::Failed, false, None),
        ] {
            assert_eq!(answer.is_void(), is_void, "{answer:?}");
            assert_eq!(answer.records(), records);
        }
    }
}
