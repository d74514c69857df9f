//! What receivers are asked to do with forgeries (RFC 9989), and who hears of it (RFC 9990).

use super::{
    dmarc_policy::Policy,
    finding::{Finding, FindingCode},
    place::{Found, Place, State, Wanted, shown_items},
    recorded::Recorded,
    report::{consent_name, domains, reported_to, strangers},
    stray,
};
use crate::{
    authentication::DmarcPolicy,
    dmarc::{Alignment, Assessment, Mode, Psd, Record, RecordError, is_dmarc, organizational_domain, targets},
    spf::QuestionKind,
};

/// What applies to the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcPosture {
    /// For the domain itself, as stated: before `t`.
    pub policy: DmarcPolicy,
    pub subdomain_policy: DmarcPolicy,
    pub nonexistent_policy: DmarcPolicy,
    pub mode: Mode,
    pub dkim_alignment: Alignment,
    pub spf_alignment: Alignment,
    /// As written; the first 20.
    pub rua: Vec<String>,
    pub ruf: Vec<String>,
    /// The domain above whose record it is.
    pub inherited_from: Option<String>,
}

/// Why a record states nothing.
#[derive(Debug, thiserror::Error)]
enum DmarcError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("it states no usable policy, and nobody to report to")]
    NoPolicy,
}

impl DmarcPosture {
    /// Whether forgeries are to be quarantined or rejected.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        match self.mode {
            Mode::Applied => self.policy != DmarcPolicy::None,
            Mode::Test => self.policy == DmarcPolicy::Reject,
        }
    }
}

/// The record that applies, and where it is.
struct Applicable {
    found: Found,
    /// The domain below whose `_dmarc` it is.
    policy_domain: String,
    organization: String,
}

/// What says whether reports can be sent: the mail hosts of who gets them, and whether strangers agreed.
pub(super) fn to_ask(recorded: &Recorded) -> Vec<(String, QuestionKind)> {
    let Applicable { found, policy_domain, organization } = applicable(recorded);
    let Found::One(text) = &found else { return Vec::new() };
    let rua = reported_to(text, "rua");
    let hosts = domains(&rua).into_iter().map(|domain| (domain.to_owned(), QuestionKind::Mx));
    let strangers = strangers(&rua, &organization).into_iter();
    hosts.chain(strangers.map(|stranger| (consent_name(&policy_domain, stranger), QuestionKind::Txt))).collect()
}

pub(super) fn judge(recorded: &Recorded, findings: &mut Vec<Finding>) -> Place<DmarcPosture> {
    let Applicable { found, policy_domain, organization } = applicable(recorded);
    let name = format!("_dmarc.{policy_domain}");
    let wanted = Wanted {
        what: "DMARC",
        name: &name,
        example: format!("v=DMARC1; p=reject; rua=mailto:dmarc-reports@{policy_domain}"),
        missing: Some(FindingCode::DmarcMissing),
        several: FindingCode::DmarcSeveralRecords,
        invalid: FindingCode::DmarcInvalid,
    };
    let mut text = Vec::new();
    let inherited_from = (policy_domain != recorded.domain.as_str()).then(|| policy_domain.clone());
    let parse = |octets: &[u8]| {
        text = octets.to_vec();
        posture(octets, inherited_from)
    };
    let place = wanted.read(found, parse, findings);
    if let Some(posture) = &place.parsed {
        let policy = Policy { name: &name, domain: &policy_domain, text: &text, posture };
        findings.extend(policy.findings());
        findings.extend(policy.unauthorised(recorded, &organization));
        findings.extend(policy.undeliverable(recorded));
    }
    findings.extend(stray::beside_dmarc(recorded));
    place
}

/// Policy discovery (RFC 9989 §4.10.1): the domain's own record, else that of the organizational domain, else that of the
/// public suffix domain.
fn applicable(recorded: &Recorded) -> Applicable {
    let domain = recorded.domain.as_str();
    let at = |name: &str| recorded.place(&format!("_dmarc.{name}"), is_dmarc);
    let own = at(domain);
    let walk = walk(domain, at);
    let organization = walk.as_ref().map_or(domain, |found| organizational_domain(domain, found));
    let applies = |found, policy_domain: &str| Applicable {
        found,
        policy_domain: policy_domain.to_owned(),
        organization: organization.to_owned(),
    };
    match (own, &walk) {
        (Found::Nothing, None) => applies(Found::Unanswered, domain),
        (Found::Nothing, Some(found)) => {
            let of_organization = found.iter().find(|(name, _)| *name == organization).or(found.last());
            match of_organization {
                Some((name, _)) => applies(at(name), name),
                None => applies(Found::Nothing, domain),
            }
        }
        (own, _) => applies(own, domain),
    }
}

/// The usable records from the domain upwards; `None` when DNS did not say.
fn walk(domain: &str, at: impl Fn(&str) -> Found) -> Option<Vec<(&str, Record)>> {
    let mut found = Vec::new();
    for name in targets(domain) {
        match at(name) {
            Found::Unanswered => return None,
            Found::Nothing | Found::Several(_) => {}
            Found::One(text) => {
                let Ok(record) = Record::parse(&text) else { continue };
                found.push((name, record));
                if record.psd != Psd::Unknown {
                    break;
                }
            }
        }
    }
    Some(found)
}

fn posture(text: &[u8], inherited_from: Option<String>) -> Result<DmarcPosture, DmarcError> {
    let record = Record::parse(text)?;
    let Assessment { own, subdomains, nonexistent, mode } = record.assessment.ok_or(DmarcError::NoPolicy)?;
    let written = |tag| shown_items(reported_to(text, tag).iter().map(|recipient| recipient.uri.as_str()));
    Ok(DmarcPosture {
        policy: if inherited_from.is_some() { subdomains } else { own },
        subdomain_policy: subdomains,
        nonexistent_policy: nonexistent,
        mode,
        dkim_alignment: record.dkim_alignment,
        spf_alignment: record.spf_alignment,
        rua: written("rua"),
        ruf: written("ruf"),
        inherited_from,
    })
}

/// Whether the record that applies has any effect.
pub(super) fn is_enforced(place: &Place<DmarcPosture>) -> Option<bool> {
    (place.state != State::Unanswered).then(|| place.parsed.as_ref().is_some_and(DmarcPosture::is_enforced))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::recorded::tests::recorded, *};

    const MAIL_HOSTS: &str = "x.example MX 1 a.x.example\nm.x.example MX 1 a.x.example\ny.example MX 1 a.x.example\nz.example MX 1 a.x.example";

    fn judged(domain: &str, zone: &str) -> (Place<DmarcPosture>, Vec<Finding>) {
        let mut findings = Vec::new();
        (judge(&recorded(domain, &format!("{zone}\n{MAIL_HOSTS}")), &mut findings), findings)
    }

    #[test]
    fn a_record_is_judged_by_its_policies_and_its_reports() {
        use FindingCode::*;
        let own = "rua=mailto:a@x.example";
        for (tags, expected) in [
            (format!("p=reject; {own}"), &[][..]),
            (format!("p=quarantine; {own}"), &[]),
            (format!("p=none; {own}"), &[DmarcPolicyNone]),
            (format!("p=what; {own}"), &[DmarcPolicyNone, DmarcBadValue]),
            (format!("p=reject; adkim=x; fo=1:d:s; {own}"), &[DmarcBadValue]),
            (format!("p=reject; fo=1:2; {own}"), &[DmarcBadValue]),
            (format!("p=Reject; aspf=S; psd=n; colour=red; {own}"), &[DmarcUnknownTag]),
            (own.to_owned(), &[DmarcPolicyNone]),
            (format!("p=reject; sp=quarantine; {own}"), &[DmarcSubdomainsWeaker]),
            (format!("p=none; sp=reject; {own}"), &[DmarcPolicyNone]),
            (format!("p=reject; np=none; {own}"), &[DmarcNonexistentWeaker]),
            (format!("p=reject; t=y; {own}"), &[DmarcTesting]),
            (format!("p=reject; pct=50; {own}"), &[DmarcPercentage]),
            (format!("p=reject; pct=100; rf=afrf; {own}"), &[DmarcObsoleteTag, DmarcObsoleteTag]),
            ("p=reject".to_owned(), &[DmarcReportsMissing]),
            ("p=reject; rua=dmarc@x.example".to_owned(), &[DmarcReportsInvalid]),
            (format!("p=reject; ruf=x; {own}"), &[DmarcReportsInvalid]),
            ("p=reject; rua=mailto:a@y.example".to_owned(), &[DmarcReportsUnauthorised]),
            ("p=reject; rua=mailto:a@z.example".to_owned(), &[]),
            ("p=reject; rua=mailto:a@m.x.example".to_owned(), &[]),
            ("p=reject; rua=mailto:a@n.x.example".to_owned(), &[DmarcReportsUndeliverable]),
        ] {
            let rest = "x.example._report._dmarc.z.example TXT v=DMARC1";
            let (place, findings) = judged("x.example", &format!("_dmarc.x.example TXT v=DMARC1; {tags}\n{rest}"));
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((place.state, codes.as_slice()), (State::Valid, expected), "{tags}");
        }
    }

    #[test]
    fn what_is_no_record_is_missing_too_many_invalid_or_not_known() {
        use FindingCode::*;
        for (zone, state, expected) in [
            ("", State::Absent, &[DmarcMissing][..]),
            ("_dmarc.x.example TXT v=spf1 -all", State::Absent, &[DmarcMissing, DmarcStrayText]),
            ("_dmarc.x.example TXT failure", State::Unanswered, &[]),
            ("_dmarc.example TXT failure", State::Unanswered, &[]),
            (
                "_dmarc.x.example TXT v=DMARC1; p=none\n_dmarc.x.example TXT v=DMARC1",
                State::Invalid,
                &[DmarcSeveralRecords],
            ),
            ("_dmarc.x.example TXT v=DMARC1; p=reject; p=none", State::Invalid, &[DmarcInvalid]),
            ("_dmarc.x.example TXT v=DMARC1; p=what", State::Invalid, &[DmarcInvalid]),
        ] {
            let (place, findings) = judged("x.example", zone);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((place.state, codes.as_slice()), (state, expected), "{zone}");
        }
    }

    #[test]
    fn a_domain_without_a_record_has_that_of_the_organizational_domain() {
        use FindingCode::*;
        for (tags, policy, expected) in [
            ("p=reject; rua=mailto:a@x.example", DmarcPolicy::Reject, &[DmarcInherited][..]),
            ("p=reject; sp=none; rua=mailto:a@x.example", DmarcPolicy::None, &[DmarcInherited, DmarcPolicyNone]),
        ] {
            let zone = format!("_dmarc.x.example TXT v=DMARC1; {tags}\n_dmarc.example TXT v=DMARC1; p=none; psd=y");
            let (place, findings) = judged("a.b.x.example", &zone);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            let dmarc = place.parsed.expect("a record");
            assert_eq!((dmarc.inherited_from.as_deref(), dmarc.policy), (Some("x.example"), policy));
            assert_eq!(codes, expected);
        }
    }

    #[test]
    fn the_fix_is_the_record_with_the_one_tag_changed() {
        for (tags, expected) in [
            ("p=none; rua=mailto:a@x.example", "v=DMARC1; p=reject; rua=mailto:a@x.example"),
            ("p=reject ;sp=none; rua=mailto:a@x.example;", "v=DMARC1; p=reject; rua=mailto:a@x.example"),
            ("p=reject", "v=DMARC1; p=reject; rua=mailto:dmarc-reports@x.example"),
        ] {
            let (_, findings) = judged("x.example", &format!("_dmarc.x.example TXT v=DMARC1; {tags}"));
            assert_eq!(findings[0].fix, format!("Publish at _dmarc.x.example the TXT record \"{expected}\"."));
        }
    }

    proptest! {
        #[test]
        fn any_record_is_judged_without_a_panic(tags in "([a-z]{1,4}=[ -~]{0,20};? ?){0,8}") {
            judged("x.example", &format!("_dmarc.x.example TXT v=DMARC1; {tags}"));
        }
    }
}
