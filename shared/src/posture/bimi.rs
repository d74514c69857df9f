//! Where the logo of the domain is (BIMI, draft-brand-indicators-for-message-identification §4.2). Nothing is fetched.

use super::{
    dmarc::{DmarcPosture, is_enforced},
    finding::{Finding, FindingCode},
    place::{Place, Wanted, shown},
    recorded::Recorded,
};
use crate::tag_list::{TagList, TagListFault};

/// A record. Without a location the domain declines to show a logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BimiRecord {
    /// `l=`, an https URI of an SVG file.
    pub location: Option<String>,
    /// `a=`, an https URI of a mark certificate.
    pub authority: Option<String>,
}

/// Why a record is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BimiError {
    #[error("{}", .0.detail().trim_end_matches('.'))]
    TagList(TagListFault),
    #[error("it does not begin with v=BIMI1")]
    Version,
    #[error("it has no l=")]
    MissingLocation,
    #[error("{0}= is not an https URI")]
    NotHttps(&'static str),
    #[error("it has a certificate and no logo")]
    AuthorityAlone,
}

impl BimiRecord {
    /// Reads the text of one TXT record.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, BimiError> {
        let tags = TagList::of(text).map_err(BimiError::TagList)?;
        if tags.get("v") != Some("BIMI1") || !tags.begins_with("v") {
            return Err(BimiError::Version);
        }
        let location = https(tags.get("l").ok_or(BimiError::MissingLocation)?, "l")?;
        let authority = https(tags.get("a").unwrap_or_default(), "a")?;
        if location.is_none() && authority.is_some() {
            return Err(BimiError::AuthorityAlone);
        }
        Ok(Self { location, authority })
    }
}

fn https(uri: &str, tag: &'static str) -> Result<Option<String>, BimiError> {
    let (scheme, rest) = uri.split_at_checked("https://".len()).unwrap_or(("", ""));
    let is_https =
        scheme.eq_ignore_ascii_case("https://") && !rest.is_empty() && rest.bytes().all(|o| o.is_ascii_graphic());
    match uri.is_empty() {
        true => Ok(None),
        false if is_https => Ok(Some(shown(uri.as_bytes()))),
        false => Err(BimiError::NotHttps(tag)),
    }
}

pub(super) fn judge(
    recorded: &Recorded,
    dmarc: &Place<DmarcPosture>,
    findings: &mut Vec<Finding>,
) -> Place<BimiRecord> {
    let name = format!("default._bimi.{}", recorded.domain);
    let wanted = Wanted {
        what: "BIMI",
        name: &name,
        example: format!("v=BIMI1; l=https://{}/logo.svg; a=https://{0}/certificate.pem", recorded.domain),
        missing: Some(FindingCode::BimiMissing),
        several: FindingCode::BimiSeveralRecords,
        invalid: FindingCode::BimiInvalid,
    };
    let place = wanted.read(recorded.place(&name, |text| text.starts_with(b"v=BIMI1")), BimiRecord::parse, findings);
    let Some(BimiRecord { location: Some(_), authority }) = &place.parsed else { return place };
    if is_enforced(dmarc) == Some(false) {
        findings.push(without_enforcement(recorded));
    }
    if authority.is_none() {
        findings.push(without_certificate(&name));
    }
    place
}

fn without_enforcement(recorded: &Recorded) -> Finding {
    let domain = &recorded.domain;
    let detail = format!("Receivers show no logo for {domain} while DMARC asks for neither quarantine nor reject.");
    let fix =
        format!("Publish at _dmarc.{domain} the TXT record \"v=DMARC1; p=reject; rua=mailto:dmarc-reports@{domain}\".");
    Finding::new(FindingCode::BimiWithoutEnforcement, detail, fix)
}

fn without_certificate(name: &str) -> Finding {
    let fix = format!("Get a mark certificate and add its https URI as a= to the TXT record at {name}.");
    Finding::new(
        FindingCode::BimiWithoutCertificate,
        format!("The BIMI record at {name} names no mark certificate."),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{dmarc, recorded::tests::recorded},
        *,
    };

    #[test]
    fn a_record_has_a_version_and_https_uris() {
        use BimiError::*;
        for (text, expected) in [
            ("v=BIMI1; l=https://x.example/a.svg; a=https://x.example/a.pem", Ok((true, true))),
            ("v=BIMI1; l=HTTPS://x.example/a.svg;", Ok((true, false))),
            ("v=BIMI1; l=; a=;", Ok((false, false))),
            ("v=BIMI1; a=https://x.example/a.pem", Err(MissingLocation)),
            ("v=BIMI1; l=; a=https://x.example/a.pem", Err(AuthorityAlone)),
            ("v=BIMI1; l=http://x.example/a.svg", Err(NotHttps("l"))),
            ("v=BIMI1; l=https://x.example/a.svg; a=x", Err(NotHttps("a"))),
            ("v=BIMI12; l=", Err(Version)),
            ("v=BIMI1;; l=", Err(TagList(TagListFault::EmptyTag))),
        ] {
            let read = BimiRecord::parse(text.as_bytes());
            let told = read.map(|record| (record.location.is_some(), record.authority.is_some()));
            assert_eq!(told, expected, "{text}");
        }
    }

    #[test]
    fn a_logo_needs_enforcement_and_a_certificate() {
        use FindingCode::*;
        let logo = "default._bimi.x.example TXT v=BIMI1; l=https://x.example/a.svg";
        let policy = "_dmarc.x.example TXT v=DMARC1; p";
        for (zone, expected) in [
            (format!("{logo}; a=https://x.example/a.pem\n{policy}=reject"), &[][..]),
            (format!("{logo}\n{policy}=quarantine"), &[BimiWithoutCertificate]),
            (format!("{logo}\n{policy}=quarantine; t=y"), &[BimiWithoutEnforcement, BimiWithoutCertificate]),
            (format!("{logo}\n{policy}=reject; t=y"), &[BimiWithoutCertificate]),
            (logo.to_owned(), &[BimiWithoutEnforcement, BimiWithoutCertificate]),
            (format!("{logo}\n_dmarc.x.example TXT failure"), &[BimiWithoutCertificate]),
            ("default._bimi.x.example TXT v=BIMI1; l=".to_owned(), &[]),
            (format!("{logo}\n{logo}"), &[BimiSeveralRecords]),
            (String::new(), &[BimiMissing]),
        ] {
            let recorded = recorded("x.example", &zone);
            let dmarc = dmarc::judge(&recorded, &mut Vec::new());
            let mut findings = Vec::new();
            judge(&recorded, &dmarc, &mut findings);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, expected, "{zone}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = BimiRecord::parse(&octets);
            let _ = BimiRecord::parse(&[b"v=BIMI1; l=", octets.as_slice()].concat());
        }
    }
}
