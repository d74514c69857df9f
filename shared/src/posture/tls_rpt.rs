//! Who hears of TLS that fails (RFC 8460).

use super::{
    finding::{Finding, FindingCode},
    mx::MxPosture,
    place::{Place, Wanted, shown_items},
    recorded::Recorded,
};
use crate::tag_list::{TagList, TagListFault};

/// RFC 8460 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsRptRecord {
    /// `mailto:` and `https:` URIs, as written; the first 20.
    pub rua: Vec<String>,
}

/// Why a record is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsRptError {
    #[error("{}", .0.detail().trim_end_matches('.'))]
    TagList(TagListFault),
    #[error("it does not begin with v=TLSRPTv1")]
    Version,
    #[error("it has no rua=")]
    MissingRua,
    #[error("{0:?} is neither a mailto URI nor an https URI")]
    BadUri(String),
}

impl TlsRptRecord {
    /// Reads the text of one TXT record.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, TlsRptError> {
        let tags = TagList::of(text).map_err(TlsRptError::TagList)?;
        if tags.get("v") != Some("TLSRPTv1") || !tags.begins_with("v") {
            return Err(TlsRptError::Version);
        }
        let rua = tags.get("rua").ok_or(TlsRptError::MissingRua)?;
        let uris: Vec<String> = rua.split(',').map(|uri| uri.trim().to_owned()).collect();
        match uris.iter().find(|uri| !is_report_uri(uri)) {
            Some(wrong) => Err(TlsRptError::BadUri(wrong.clone())),
            None => Ok(Self { rua: shown_items(uris.iter().map(String::as_str)) }),
        }
    }
}

fn is_report_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let is_text = rest.bytes().all(|octet| octet.is_ascii_graphic());
    let is_mailbox =
        || rest.rsplit_once('@').is_some_and(|(local_part, domain)| !local_part.is_empty() && !domain.is_empty());
    let is_url = || rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty());
    is_text
        && (scheme.eq_ignore_ascii_case("mailto") && is_mailbox() || scheme.eq_ignore_ascii_case("https") && is_url())
}

pub(super) fn judge(recorded: &Recorded, mx: &MxPosture, findings: &mut Vec<Finding>) -> Place<TlsRptRecord> {
    let name = format!("_smtp._tls.{}", recorded.domain);
    let wanted = Wanted {
        what: "TLS-RPT",
        name: &name,
        example: format!("v=TLSRPTv1; rua=mailto:tls-reports@{}", recorded.domain),
        missing: mx.may_take_mail().then_some(FindingCode::TlsRptMissing),
        several: FindingCode::TlsRptSeveralRecords,
        invalid: FindingCode::TlsRptInvalid,
    };
    wanted.read(recorded.place(&name, |text| text.starts_with(b"v=TLSRPTv1")), TlsRptRecord::parse, findings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_has_a_version_and_uris_for_reports() {
        use TlsRptError::*;
        let bad = |uri: &str| Err(BadUri(uri.to_owned()));
        for (text, expected) in [
            ("v=TLSRPTv1; rua=mailto:a@x.example", Ok(vec!["mailto:a@x.example"])),
            (
                "v=TLSRPTv1;rua=https://x.example/r , mailto:a@x.example;",
                Ok(vec!["https://x.example/r", "mailto:a@x.example"]),
            ),
            ("v=TLSRPTv1", Err(MissingRua)),
            ("v=TLSRPTv1; rua=", bad("")),
            ("v=TLSRPTv1; rua=a@x.example", bad("a@x.example")),
            ("v=TLSRPTv1; rua=http://x.example", bad("http://x.example")),
            ("v=TLSRPTv1; rua=https:", bad("https:")),
            ("v=TLSRPTv1; rua=mailto:a", bad("mailto:a")),
            ("v=TLSRPTv1; rua=mailto:a b@x.example", bad("mailto:a b@x.example")),
            ("rua=mailto:a@x.example; v=TLSRPTv1", Err(Version)),
            ("v=TLSRPTv1;; rua=mailto:a@x.example", Err(TagList(TagListFault::EmptyTag))),
        ] {
            let expected = expected.map(|uris: Vec<&str>| uris.into_iter().map(str::to_owned).collect());
            assert_eq!(TlsRptRecord::parse(text.as_bytes()).map(|record| record.rua), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TlsRptRecord::parse(&octets);
            let _ = TlsRptRecord::parse(&[b"v=TLSRPTv1; rua=", octets.as_slice()].concat());
        }
    }
}
