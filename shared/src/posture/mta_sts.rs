//! Whether senders are told to insist on TLS (RFC 8461). The policy itself is a file on a web server, which is not fetched.

use super::{
    finding::{Finding, FindingCode},
    mx::MxPosture,
    place::{Place, Wanted},
    recorded::Recorded,
};
use crate::tag_list::{TagList, TagListFault};

const MAX_ID_OCTETS: usize = 32;

/// RFC 8461 §3.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtaStsRecord {
    /// Changes whenever the policy file does.
    pub id: String,
}

/// Why a record is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MtaStsError {
    #[error("{}", .0.detail().trim_end_matches('.'))]
    TagList(TagListFault),
    #[error("it does not begin with v=STSv1")]
    Version,
    #[error("it has no id=")]
    MissingId,
    #[error("id= is not 1 to 32 letters and digits")]
    BadId,
}

impl MtaStsRecord {
    /// Reads the text of one TXT record.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, MtaStsError> {
        let tags = TagList::of(text).map_err(MtaStsError::TagList)?;
        if tags.get("v") != Some("STSv1") || !tags.begins_with("v") {
            return Err(MtaStsError::Version);
        }
        let id = tags.get("id").ok_or(MtaStsError::MissingId)?;
        let is_id = (1..=MAX_ID_OCTETS).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
        if is_id { Ok(Self { id: id.to_owned() }) } else { Err(MtaStsError::BadId) }
    }
}

pub(super) fn judge(recorded: &Recorded, mx: &MxPosture, findings: &mut Vec<Finding>) -> Place<MtaStsRecord> {
    let name = format!("_mta-sts.{}", recorded.domain);
    let wanted = Wanted {
        what: "MTA-STS",
        name: &name,
        example: "v=STSv1; id=1".to_owned(),
        missing: mx.may_take_mail().then_some(FindingCode::MtaStsMissing),
        several: FindingCode::MtaStsSeveralRecords,
        invalid: FindingCode::MtaStsInvalid,
    };
    let before = findings.len();
    let place = wanted.read(recorded.place(&name, |text| text.starts_with(b"v=STSv1")), MtaStsRecord::parse, findings);
    for finding in findings.iter_mut().skip(before).filter(|finding| finding.code == FindingCode::MtaStsMissing) {
        let file = format!(" once https://mta-sts.{}/.well-known/mta-sts.txt holds a policy.", recorded.domain);
        finding.fix = finding.fix.trim_end_matches('.').to_owned() + &file;
    }
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{mx, place::State, recorded::tests::recorded},
        *,
    };

    #[test]
    fn a_record_has_a_version_and_an_id() {
        use MtaStsError::*;
        let long = "a".repeat(33);
        for (text, expected) in [
            ("v=STSv1; id=20261126T01;", Ok("20261126T01")),
            ("v=STSv1;id=1;ext=x", Ok("1")),
            (&format!("v=STSv1; id={}", &long[1..]), Ok(&long[1..])),
            (&format!("v=STSv1; id={long}"), Err(BadId)),
            ("v=STSv1; id=2026-11-26", Err(BadId)),
            ("v=STSv1; id=", Err(BadId)),
            ("v=STSv1;", Err(MissingId)),
            ("v=STSv12; id=1", Err(Version)),
            ("id=1; v=STSv1", Err(Version)),
            ("v=STSv1 id=1", Err(Version)),
            ("v=STSv1;; id=1", Err(TagList(TagListFault::EmptyTag))),
        ] {
            let read = MtaStsRecord::parse(text.as_bytes());
            assert_eq!(read.as_ref().map(|record| record.id.as_str()), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn only_a_domain_that_takes_mail_misses_it() {
        use FindingCode::*;
        for (zone, state, expected) in [
            ("x.example MX 10 a.example", State::Absent, &[MtaStsMissing][..]),
            ("x.example MX failure", State::Absent, &[MtaStsMissing]),
            ("x.example MX 0 .", State::Absent, &[]),
            ("x.example TXT x", State::Absent, &[]),
            ("_mta-sts.x.example TXT failure", State::Unanswered, &[]),
            ("_mta-sts.x.example TXT v=STSv1; id=1", State::Valid, &[]),
            ("_mta-sts.x.example TXT v=STSv1; id=1\n_mta-sts.x.example TXT hello", State::Valid, &[]),
            (
                "_mta-sts.x.example TXT v=STSv1; id=1\n_mta-sts.x.example TXT v=STSv1; id=2",
                State::Invalid,
                &[MtaStsSeveralRecords],
            ),
            ("_mta-sts.x.example TXT v=STSv1; id=-", State::Invalid, &[MtaStsInvalid]),
        ] {
            let recorded = recorded("x.example", zone);
            let mut findings = Vec::new();
            let place = judge(&recorded, &mx::judge(&recorded, &mut Vec::new()), &mut findings);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((place.state, codes.as_slice()), (state, expected), "{zone}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = MtaStsRecord::parse(&octets);
            let _ = MtaStsRecord::parse(&[b"v=STSv1; id=", octets.as_slice()].concat());
        }
    }
}
