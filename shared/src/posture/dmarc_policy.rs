//! What there is to say about a DMARC record that can be used.

use super::{
    dmarc::DmarcPosture,
    dmarc_tag,
    finding::{Finding, FindingCode},
    place::{Found, shown},
    recorded::Recorded,
    report::{consent_name, domains, reported_to, strangers},
};
use crate::{
    authentication::DmarcPolicy,
    dmarc::{Mode, is_dmarc, tags},
    spf::{Data, QuestionKind},
};

/// Tags that RFC 9989 removed and that change nothing; `pct` is a matter of its own.
const OBSOLETE_TAGS: [&str; 2] = ["rf", "ri"];

/// A usable record.
pub(super) struct Policy<'p> {
    /// Where it is.
    pub(super) name: &'p str,
    /// The domain that it speaks for.
    pub(super) domain: &'p str,
    pub(super) text: &'p [u8],
    pub(super) posture: &'p DmarcPosture,
}

impl Policy<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let weaknesses = [
            self.inherited(),
            self.none(),
            self.subdomains_weaker(),
            self.nonexistent_weaker(),
            self.testing(),
            self.percentage(),
        ];
        let obsolete = OBSOLETE_TAGS.into_iter().filter_map(|tag| self.obsolete(tag));
        weaknesses
            .into_iter()
            .flatten()
            .chain(obsolete)
            .chain(self.reports())
            .chain(dmarc_tag::findings(self))
            .collect()
    }

    fn inherited(&self) -> Option<Finding> {
        let above = self.posture.inherited_from.as_ref()?;
        let detail = format!("The record of {above} applies, with its policy for subdomains.");
        let fix = format!("Nothing, unless this domain needs a policy that differs from the record at _dmarc.{above}.");
        Some(Finding::new(FindingCode::DmarcInherited, detail, fix))
    }

    fn none(&self) -> Option<Finding> {
        let tag = if self.posture.inherited_from.is_some() { "sp" } else { "p" };
        let detail =
            format!("The DMARC record at {} asks receivers to deliver forgeries as if nothing were wrong.", self.name);
        let finding = self.rewrite(FindingCode::DmarcPolicyNone, detail, &[(tag, Some("reject"))]);
        (self.posture.policy == DmarcPolicy::None).then_some(finding)
    }

    fn subdomains_weaker(&self) -> Option<Finding> {
        let DmarcPosture { policy, subdomain_policy, inherited_from, .. } = self.posture;
        let detail = format!("Subdomains have sp={}, the domain p={}.", subdomain_policy.as_str(), policy.as_str());
        let finding = self.rewrite(FindingCode::DmarcSubdomainsWeaker, detail, &[("sp", None)]);
        (inherited_from.is_none() && subdomain_policy < policy).then_some(finding)
    }

    fn nonexistent_weaker(&self) -> Option<Finding> {
        let DmarcPosture { subdomain_policy, nonexistent_policy, .. } = self.posture;
        let detail = format!(
            "Subdomains that do not exist have np={}, those that do have {}.",
            nonexistent_policy.as_str(),
            subdomain_policy.as_str()
        );
        let finding = self.rewrite(FindingCode::DmarcNonexistentWeaker, detail, &[("np", Some("reject"))]);
        (nonexistent_policy < subdomain_policy).then_some(finding)
    }

    fn testing(&self) -> Option<Finding> {
        let detail = format!("The DMARC record at {} has t=y, which lowers its policy by one level.", self.name);
        let finding = self.rewrite(FindingCode::DmarcTesting, detail, &[("t", None)]);
        (self.posture.mode == Mode::Test).then_some(finding)
    }

    fn percentage(&self) -> Option<Finding> {
        let percentage = self.tag("pct")?;
        let detail = format!("The DMARC record at {} has pct={percentage}.", self.name);
        let code = if percentage == "100" { FindingCode::DmarcObsoleteTag } else { FindingCode::DmarcPercentage };
        Some(self.rewrite(code, detail, &[("pct", None)]))
    }

    fn obsolete(&self, tag: &str) -> Option<Finding> {
        let value = self.tag(tag)?;
        let detail = format!("The DMARC record at {} has {tag}={value}.", self.name);
        Some(self.rewrite(FindingCode::DmarcObsoleteTag, detail, &[(tag, None)]))
    }

    fn reports(&self) -> Vec<Finding> {
        let rua = reported_to(self.text, "rua");
        let own = format!("mailto:dmarc-reports@{}", self.domain);
        if rua.is_empty() {
            let detail = format!("The DMARC record at {} names nobody to send aggregate reports to.", self.name);
            return vec![self.rewrite(FindingCode::DmarcReportsMissing, detail, &[("rua", Some(&own))])];
        }
        let invalid =
            rua.iter().chain(&reported_to(self.text, "ruf")).find(|recipient| recipient.domain.is_none()).cloned();
        let finding = invalid.map(|recipient| {
            let uri = shown(recipient.uri.as_bytes());
            let detail = format!("{uri:?} in the DMARC record at {} is not a mailto URI with a mailbox.", self.name);
            let fix = format!("Write it as \"{own}\" in the TXT record at {}.", self.name);
            Finding::new(FindingCode::DmarcReportsInvalid, detail, fix)
        });
        finding.into_iter().collect()
    }

    pub(super) fn unauthorised(&self, recorded: &Recorded, organization: &str) -> Vec<Finding> {
        let rua = reported_to(self.text, "rua");
        let refused = strangers(&rua, organization).into_iter().filter_map(|stranger| {
            let consent = consent_name(self.domain, stranger);
            (recorded.place(&consent, is_dmarc) == Found::Nothing).then_some((stranger, consent))
        });
        let finding = |(stranger, consent): (&str, String)| {
            let detail =
                format!("{stranger} has not agreed to get reports about {}, so none are sent there.", self.domain);
            let fix = format!("Have {stranger} publish at {consent} the TXT record \"v=DMARC1\".");
            Finding::new(FindingCode::DmarcReportsUnauthorised, detail, fix)
        };
        refused.map(finding).collect()
    }

    /// An address alone would do as a mail host, but nobody who reads reports relies on that.
    pub(super) fn undeliverable(&self, recorded: &Recorded) -> Vec<Finding> {
        let rua = reported_to(self.text, "rua");
        let takes_mail = |data: &Data| matches!(data, Data::MailHost { name, .. } if !name.is_empty());
        let is_known_not_to =
            |domain: &&str| recorded.data(domain, QuestionKind::Mx).is_some_and(|data| !data.iter().any(takes_mail));
        let finding = |domain: &str| {
            let detail = format!("{domain}, which is to get reports about {}, names no mail host.", self.domain);
            let own = format!("mailto:dmarc-reports@{}", self.domain);
            let fix = format!(
                "Publish an MX record at {domain}, or name another mailbox in the TXT record at {}, such as \"{own}\".",
                self.name
            );
            Finding::new(FindingCode::DmarcReportsUndeliverable, detail, fix)
        };
        domains(&rua).into_iter().filter(is_known_not_to).map(finding).collect()
    }

    /// All tags, for people.
    pub(super) fn tags(&self) -> Vec<(String, String)> {
        let tags = tags(self.text).unwrap_or_default().into_iter();
        tags.map(|(name, value)| (shown(name.as_bytes()), shown(value))).collect()
    }

    /// The value of a tag, for people.
    fn tag(&self, name: &str) -> Option<String> {
        tags(self.text).ok()?.get(name).map(|value| shown(value))
    }

    /// A finding whose fix is the record with other tags; `None` takes a tag out.
    pub(super) fn rewrite(&self, code: FindingCode, detail: String, changes: &[(&str, Option<&str>)]) -> Finding {
        let text = String::from_utf8_lossy(self.text);
        let name_of = |tag: &str| tag.split('=').next().unwrap_or_default().trim().to_owned();
        let is_kept = |tag: &&str| !tag.is_empty() && !changes.iter().any(|(name, _)| name_of(tag) == *name);
        let mut tags: Vec<String> = text.split(';').map(str::trim).filter(is_kept).map(str::to_owned).collect();
        for (name, value) in changes.iter().filter_map(|(name, value)| value.map(|value| (*name, value))) {
            // Readers of RFC 7489 want the policy behind the version.
            let at = if name == "p" { 1 } else { tags.len() };
            tags.insert(at, format!("{name}={value}"));
        }
        let record = shown(tags.join("; ").as_bytes());
        Finding::new(code, detail, format!("Publish at {} the TXT record \"{record}\".", self.name))
    }
}
