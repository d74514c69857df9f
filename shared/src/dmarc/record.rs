//! The grammar of a DMARC Policy Record (RFC 9989 §4.7, §4.8): a tag list (RFC 6376 §3.2).
//!
//! Names of tags and the version are case-sensitive; the other values are not. What is wrong with one tag is as if the
//! tag were not there, except where the policies are concerned (§4.10.1).

use std::collections::BTreeMap;

use super::policy::{Assessment, Mode};
use crate::authentication::DmarcPolicy;

/// A longer record is not read. Real ones have a few hundred octets.
pub const MAX_RECORD_OCTETS: usize = 4096;

/// What of a record matters to an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// `None` when the record states no usable policy and has no address for reports either: then DMARC does not apply
    /// to its domain (RFC 9989 §4.10.1).
    pub assessment: Option<Assessment>,
    pub psd: Psd,
    /// Tag `adkim`.
    pub dkim_alignment: Alignment,
    /// Tag `aspf`.
    pub spf_alignment: Alignment,
}

/// Tag `psd`: whether the domain of the record is a public suffix domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Psd {
    /// `psd=y`
    PublicSuffix,
    /// `psd=n`
    OrganizationalDomain,
    /// `psd=u`, the default.
    Unknown,
}

/// RFC 9989 §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// The same organizational domain; the default.
    Relaxed,
    /// The same domain.
    Strict,
}

/// Why a text is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the first tag is not v=DMARC1")]
    OtherVersion,
    #[error("over {MAX_RECORD_OCTETS} octets")]
    TooLong,
    #[error("tag {0} occurs twice")]
    DuplicateTag(String),
}

/// By name.
pub(crate) type Tags<'r> = BTreeMap<&'r str, &'r [u8]>;

/// Whether a TXT record is meant to be a DMARC record. Others at the same name are ignored (RFC 9989 §4.10, step 2).
#[must_use]
pub fn is_dmarc(text: &[u8]) -> bool {
    let version = text.split(|octet| *octet == b';').next().unwrap_or_default();
    // White space is allowed around the equals sign and after the value, and nowhere else.
    version.starts_with(b"v") && tag(version) == Some(("v", b"DMARC1"))
}

impl Record {
    /// Parses the text of a TXT record, its character-strings joined.
    ///
    /// # Errors
    /// The text is no record at all. Faults in single tags are not errors.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        if !is_dmarc(text) {
            return Err(RecordError::OtherVersion);
        }
        if MAX_RECORD_OCTETS < text.len() {
            return Err(RecordError::TooLong);
        }
        let tags = tags(text)?;
        Ok(Self {
            assessment: assessment(&tags),
            psd: psd(&tags),
            dkim_alignment: alignment(&tags, "adkim"),
            spf_alignment: alignment(&tags, "aspf"),
        })
    }
}

/// A name that occurs twice makes the whole list invalid (RFC 6376 §3.2).
pub(crate) fn tags(text: &[u8]) -> Result<Tags<'_>, RecordError> {
    let mut tags = Tags::new();
    for (name, value) in text.split(|octet| *octet == b';').filter_map(tag) {
        if tags.insert(name, value).is_some() {
            return Err(RecordError::DuplicateTag(name.to_owned()));
        }
    }
    Ok(tags)
}

/// `None` for what is between semicolons and no tag.
fn tag(text: &[u8]) -> Option<(&str, &[u8])> {
    let equals = text.iter().position(|octet| *octet == b'=')?;
    let (name, value) = (text.get(..equals)?, text.get(equals + 1..)?);
    let name = std::str::from_utf8(trimmed(name)).ok()?;
    let is_name = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphabetic());
    is_name.then_some((name, trimmed(value)))
}

/// A policy that cannot be used makes all three `none` if somebody is there to be told, and the record void otherwise
/// (RFC 9989 §4.10.1).
fn assessment(tags: &Tags<'_>) -> Option<Assessment> {
    let mode = if is(tags, "t", "y") { Mode::Test } else { Mode::Applied };
    let told = || has_reporting_uri(tags).then(|| Assessment::uniform(DmarcPolicy::None, mode));
    stated(tags, mode).or_else(told)
}

fn stated(tags: &Tags<'_>, mode: Mode) -> Option<Assessment> {
    let or = |name, default| tags.get(name).map_or(Some(default), |value| policy(value));
    let own = policy(tags.get("p")?)?;
    let subdomains = or("sp", own)?;
    let nonexistent = or("np", subdomains)?;
    Some(Assessment { own, subdomains, nonexistent, mode })
}

fn policy(value: &[u8]) -> Option<DmarcPolicy> {
    let policies =
        [("none", DmarcPolicy::None), ("quarantine", DmarcPolicy::Quarantine), ("reject", DmarcPolicy::Reject)];
    policies.into_iter().find(|(word, _)| value.eq_ignore_ascii_case(word.as_bytes())).map(|(_, policy)| policy)
}

fn psd(tags: &Tags<'_>) -> Psd {
    if is(tags, "psd", "y") {
        Psd::PublicSuffix
    } else if is(tags, "psd", "n") {
        Psd::OrganizationalDomain
    } else {
        Psd::Unknown
    }
}

fn alignment(tags: &Tags<'_>, name: &str) -> Alignment {
    if is(tags, name, "s") { Alignment::Strict } else { Alignment::Relaxed }
}

fn is(tags: &Tags<'_>, name: &str, word: &str) -> bool {
    tags.get(name).is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
}

fn has_reporting_uri(tags: &Tags<'_>) -> bool {
    let addresses = tags.get("rua").into_iter().flat_map(|value| value.split(|octet| *octet == b','));
    addresses.map(trimmed).any(is_uri)
}

/// Whether it has the outline of a URI: a scheme, a colon, and printable characters (RFC 3986 §3).
fn is_uri(text: &[u8]) -> bool {
    let Some(colon) = text.iter().position(|octet| *octet == b':') else { return false };
    let (scheme, rest) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    let in_scheme = |octet: &u8| octet.is_ascii_alphanumeric() || b"+-.".contains(octet);
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(in_scheme)
        && !rest.is_empty()
        && rest.iter().all(u8::is_ascii_graphic)
}

/// Without white space at the ends: space and tab, no line breaks.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_text = |octet: &u8| !b" \t".contains(octet);
    let Some(first) = text.iter().position(is_text) else { return &[] };
    let last = text.iter().rposition(is_text).unwrap_or(first);
    text.get(first..=last).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use DmarcPolicy::{None as Monitor, Quarantine, Reject};

    fn record(text: &str) -> Record {
        Record::parse(text.as_bytes()).expect(text)
    }

    fn policies(text: &str) -> Option<(DmarcPolicy, DmarcPolicy, DmarcPolicy)> {
        record(text).assessment.map(|assessment| (assessment.own, assessment.subdomains, assessment.nonexistent))
    }

    #[test]
    fn a_record_begins_with_its_version_to_the_letter() {
        for (text, expected) in [
            ("v=DMARC1", true),
            ("v=DMARC1;", true),
            ("v=DMARC1; p=none", true),
            ("v = DMARC1 \t;p=none", true),
            ("v\t=\tDMARC1", true),
            ("", false),
            ("v", false),
            ("v=", false),
            ("v=DMARC", false),
            ("v=DMARC1x; p=reject", false),
            ("v=DMARC11; p=reject", false),
            ("v=DMARC2; p=reject", false),
            ("v=dmarc1; p=reject", false),
            ("v=Dmarc1; p=reject", false),
            ("V=DMARC1; p=reject", false),
            (" v=DMARC1; p=reject", false),
            ("\tv=DMARC1; p=reject", false),
            (";v=DMARC1; p=reject", false),
            ("p=reject; v=DMARC1", false),
            ("v=DMARC1 p=reject", false),
            ("v=DMARC1, p=reject", false),
            ("v=DMARC1\n; p=reject", false),
            ("v=DMARC1\0; p=reject", false),
            ("v==DMARC1; p=reject", false),
            ("\"v=DMARC1; p=reject\"", false),
            ("\u{feff}v=DMARC1; p=reject", false),
            ("v=spf1 -all", false),
            ("v=DKIM1; p=MCo", false),
        ] {
            assert_eq!(is_dmarc(text.as_bytes()), expected, "{text:?}");
            let is_other = Record::parse(text.as_bytes()) == Err(RecordError::OtherVersion);
            assert_eq!(is_other, !expected, "{text:?}");
        }
    }

    #[test]
    fn policies_default_to_the_next_more_general_one() {
        for (text, expected) in [
            ("v=DMARC1; p=none", Some((Monitor, Monitor, Monitor))),
            ("v=DMARC1; p=reject", Some((Reject, Reject, Reject))),
            ("v=DMARC1; p=Reject", Some((Reject, Reject, Reject))),
            ("v=DMARC1;p=QUARANTINE;", Some((Quarantine, Quarantine, Quarantine))),
            ("v=DMARC1; p\t= reject ; ", Some((Reject, Reject, Reject))),
            ("v=DMARC1; p=reject; sp=none", Some((Reject, Monitor, Monitor))),
            ("v=DMARC1; p=none; np=reject", Some((Monitor, Monitor, Reject))),
            ("v=DMARC1; np=reject; sp=quarantine; p=none", Some((Monitor, Quarantine, Reject))),
            ("v=DMARC1; pct=0; p=reject; x=y; rf=afrf; ri=1", Some((Reject, Reject, Reject))),
            ("v=DMARC1; ; ;p=reject;;", Some((Reject, Reject, Reject))),
            ("v=DMARC1; garbage; p=reject; =; =x; 1=2; a-b=c", Some((Reject, Reject, Reject))),
        ] {
            assert_eq!(policies(text), expected, "{text}");
        }
    }

    #[test]
    fn without_a_usable_policy_a_record_asks_for_none_if_reports_have_an_address_and_for_nothing_otherwise() {
        let none = Some((Monitor, Monitor, Monitor));
        for (text, expected) in [
            ("v=DMARC1", None),
            ("v=DMARC1; adkim=s", None),
            ("v=DMARC1; rua=mailto:a@example.com", none),
            ("v=DMARC1; rua=mailto:a@example.com; sp=reject; np=reject", none),
            ("v=DMARC1; p=; rua=mailto:a@example.com", none),
            ("v=DMARC1; p=bogus; rua=mailto:a@example.com", none),
            ("v=DMARC1; p=bogus", None),
            ("v=DMARC1; p=rejected", None),
            ("v=DMARC1; p=reject\n", None),
            ("v=DMARC1;\n p=reject", None),
            ("v=DMARC1; p=re ject", None),
            ("v=DMARC1; P=reject", None),
            ("v=DMARC1; p=reject; sp=bogus", None),
            ("v=DMARC1; p=reject; sp=bogus; rua=mailto:a@example.com", none),
            ("v=DMARC1; p=reject; np=; rua=mailto:a@example.com", none),
            ("v=DMARC1; p=reject; np=\u{fc}", None),
            ("v=DMARC1; rua=a@example.com", None),
            ("v=DMARC1; rua=", None),
            ("v=DMARC1; rua=:", None),
            ("v=DMARC1; rua=mailto:", None),
            ("v=DMARC1; rua=1mail:a@example.com", None),
            ("v=DMARC1; rua=mail to:a@example.com", None),
            ("v=DMARC1; rua=mailto:\u{fc}@example.com", None),
            ("v=DMARC1; rua=a@example.com , mailto:a@example.com!10m", none),
            ("v=DMARC1; rua=https://example.com/dmarc", none),
        ] {
            assert_eq!(policies(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_other_tags_have_their_default_when_they_say_nothing_that_is_known() {
        let default = record("v=DMARC1; p=reject");
        let test_mode = |record: Record| record.assessment.map(|assessment| assessment.mode);
        assert_eq!(
            (default.psd, default.dkim_alignment, default.spf_alignment, test_mode(default)),
            (Psd::Unknown, Alignment::Relaxed, Alignment::Relaxed, Some(Mode::Applied))
        );
        for (tags, expected) in [
            ("psd=y", Record { psd: Psd::PublicSuffix, ..default }),
            ("psd=N", Record { psd: Psd::OrganizationalDomain, ..default }),
            ("psd=u", default),
            ("psd=yes", default),
            ("psd=", default),
            ("adkim=s", Record { dkim_alignment: Alignment::Strict, ..default }),
            ("adkim = S", Record { dkim_alignment: Alignment::Strict, ..default }),
            ("adkim=r", default),
            ("adkim=strict", default),
            ("ADKIM=s", default),
            ("aspf=s", Record { spf_alignment: Alignment::Strict, ..default }),
            ("aspf=x", default),
            ("t=n", default),
            ("t=yy", default),
            ("t", default),
            ("t=Y", Record { assessment: Some(Assessment::uniform(Reject, Mode::Test)), ..default }),
        ] {
            assert_eq!(record(&format!("v=DMARC1; p=reject; {tags}")), expected, "{tags}");
        }
    }

    #[test]
    fn a_tag_that_occurs_twice_makes_the_record_invalid() {
        for (text, name) in [
            ("v=DMARC1; p=reject; p=none", "p"),
            ("v=DMARC1; p=none; p=none", "p"),
            ("v=DMARC1; v=DMARC1; p=none", "v"),
            ("v=DMARC1; p=none; rua = mailto:a@b.example; rua=x", "rua"),
            ("v=DMARC1; p=none; unknown=1;unknown=2", "unknown"),
            ("v=DMARC1; p=\u{1}; p=reject", "p"),
        ] {
            assert_eq!(Record::parse(text.as_bytes()), Err(RecordError::DuplicateTag(name.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn a_record_over_the_limit_is_not_read_and_one_at_the_limit_is() {
        let padded = |octets: usize| {
            let head = "v=DMARC1; p=reject; x=";
            format!("{head}{}", "a".repeat(octets - head.len()))
        };
        assert_eq!(record(&padded(MAX_RECORD_OCTETS)).assessment.map(|stated| stated.own), Some(Reject));
        for text in [padded(MAX_RECORD_OCTETS + 1), format!("v=DMARC1{}", "; p=reject".repeat(6_000))] {
            assert_eq!(Record::parse(text.as_bytes()), Err(RecordError::TooLong));
        }
    }

    #[test]
    fn hostile_records_are_records_without_a_policy_or_none_at_all() {
        let full = |unit: &str| format!("v=DMARC1;{}", unit.repeat((MAX_RECORD_OCTETS - 9) / unit.len()));
        for unit in
            [";", "=", "=;", " ", "\t;", "\0", "\0=\0;", "p", "rua=,", ",", ":", "%00", "\u{202e}=;", "p=\u{fc}"]
        {
            match Record::parse(full(unit).as_bytes()) {
                Ok(record) => assert_eq!(record.assessment, None, "{unit:?}"),
                Err(error) => assert_eq!(error, RecordError::DuplicateTag("rua".to_owned()), "{unit:?}"),
            }
        }
        for text in [&b"v=DMARC1; p=\xff\xfe"[..], b"v=DMARC1; \xc3=reject", b"v=DMARC1;\x80"] {
            assert_eq!(Record::parse(text).map(|record| record.assessment), Ok(None), "{text:?}");
        }
        assert!(!is_dmarc(b"\xffv=DMARC1"));
    }

    proptest! {
        #[test]
        fn parsing_octets_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Record::parse(&junk);
            let _ = Record::parse(&[b"v=DMARC1;", junk.as_slice()].concat());
        }

        #[test]
        fn parsing_what_looks_like_a_record_never_panics(
            tags in "([ \t]?(v|p|sp|np|psd|t|adkim|aspf|rua|x)?[ =]{0,2}(none|Reject|y|n|s|mailto:a@b,)?[;\n]?){0,30}"
        ) {
            let _ = Record::parse(format!("v=DMARC1;{tags}").as_bytes());
        }

        #[test]
        fn white_space_and_order_do_not_matter(gap in "[ \t]{0,4}", reversed in any::<bool>()) {
            let mut tags = ["p=reject", "sp=none", "psd=n", "t=y", "adkim=s"];
            let expected = record(&format!("v=DMARC1;{}", tags.join(";")));
            if reversed {
                tags.reverse();
            }
            let text = format!("v=DMARC1;{}", tags.join(";")).replace(';', &format!("{gap};{gap}"));
            prop_assert_eq!(record(&text.replace('=', &format!("{gap}={gap}"))), expected);
        }
    }
}
