//! What SPF, DKIM, DMARC and ARC said about one message, and the findings that follow.

use crate::{
    author::Author,
    finding::{Finding, Severity},
    spf::SpfResult,
};

/// The outcome of all four checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    pub spf: SpfResult,
    /// The domain whose SPF record was asked: of the envelope sender, or of HELO for the null sender.
    pub spf_domain: String,
    pub dkim: Vec<DkimSignature>,
    /// Signatures beyond [`MAX_SIGNATURES`], which were not looked at.
    pub ignored_signatures: usize,
    pub arc: Arc,
    pub dmarc: Dmarc,
}

/// More signatures than this are not verified: each costs a key look-up and a public-key operation.
pub const MAX_SIGNATURES: usize = 10;

/// A longer ARC chain fails (RFC 8617 §4.2.1 allows 50; real ones have a handful).
pub const MAX_ARC_SETS: usize = 50;

/// More names than this in `h=` make a signature invalid here: the work grows with names times header fields.
pub const MAX_SIGNED_FIELDS: usize = 200;

/// One `DKIM-Signature` field (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimSignature {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    pub result: DkimResult,
    /// Why, when it did not pass.
    pub detail: String,
    /// Bits of an RSA key that is shorter than it should be by now.
    pub weak_key_bits: Option<usize>,
    /// Fields of the message that a signature which passed does not protect.
    pub unsigned_fields: Vec<&'static str>,
}

/// RFC 8601 §2.7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimResult {
    Pass,
    Fail,
    None,
    Neutral,
    PermError,
    TempError,
}

impl DkimResult {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::PermError => "permerror",
            Self::TempError => "temperror",
        }
    }
}

/// The received chain (RFC 8617).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arc {
    pub result: ArcResult,
    /// Why it did not pass.
    pub detail: String,
    /// Domains of the seals, first hop first.
    pub sealers: Vec<String>,
    /// What the first sealer recorded: the value of `ARC-Authentication-Results` with `i=1`.
    pub first_results: String,
    /// Whether the last sealer signed the From field: else it may be another by now.
    pub signs_author: bool,
}

/// RFC 8617 §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArcResult {
    Pass,
    Fail,
    /// DNS did not say enough. Counts as `fail`, which is all that RFC 8617 knows.
    Undecided,
    #[default]
    None,
}

impl ArcResult {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail | Self::Undecided => "fail",
            Self::None => "none",
        }
    }
}

/// RFC 9989.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dmarc {
    pub result: DmarcResult,
    /// The published policy that applies after `sp`, `np` and `t`; `None` without a record.
    pub policy: Option<DmarcPolicy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmarcResult {
    Pass,
    Fail,
    None,
    TempError,
    PermError,
}

impl DmarcResult {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// RFC 9989 §4.7, tag `p`. Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DmarcPolicy {
    None,
    Quarantine,
    Reject,
}

impl DmarcPolicy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::None => Severity::Review,
            Self::Quarantine => Severity::Quarantine,
            Self::Reject => Severity::Reject,
        }
    }
}

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("dmarc_fail", "neither SPF nor DKIM passed for the author domain; weighs what its owner published"),
    ("dmarc_none", "the author domain publishes no DMARC record"),
    ("dmarc_permerror", "the author domain's DMARC record cannot be used"),
    ("dmarc_temperror", "DMARC could not be judged now; the message is deferred"),
    ("arc_override", "a trusted sealer saw DMARC pass before it changed the message; the sealer is named"),
    ("arc_fail", "the ARC chain is broken"),
    ("arc_temperror", "DNS gave no answer about the chain of a trusted sealer; the message is deferred"),
    ("spf_fail", "the client may not send for the SPF domain"),
    ("dkim_fail", "a DKIM signature did not verify"),
    ("dkim_signature_flood", "more signatures than are looked at"),
    ("dkim_weak_key", "a signature passed with an RSA key of fewer than 2048 bits"),
    ("dkim_unsigned_fields", "a signature passed, but anyone could have added these fields"),
];

impl Authentication {
    /// `dkim` of the report: pass if any signature passes, else the first signature's result.
    #[must_use]
    pub fn dkim_result(&self) -> DkimResult {
        let passed = self.dkim.iter().find(|signature| signature.result == DkimResult::Pass);
        passed.or(self.dkim.first()).map_or(DkimResult::None, |signature| signature.result)
    }

    /// What the results mean for the message of `author`, given the sealers that this receiver trusts.
    #[must_use]
    pub fn findings(&self, author: &Author, trusted_sealers: &[String]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.dkim.iter().flat_map(DkimSignature::findings).collect();
        findings.extend(self.spf_finding());
        findings.extend(self.flood_finding());
        findings.extend(self.arc_finding());
        findings.extend(self.dmarc_finding(author, trusted_sealers));
        findings
    }

    fn dmarc_finding(&self, author: &Author, trusted_sealers: &[String]) -> Option<Finding> {
        let domain = &author.domain;
        match self.dmarc.result {
            DmarcResult::Pass => None,
            DmarcResult::None => {
                Some(Finding::new("dmarc_none", Severity::Info, format!("{domain} publishes no DMARC record.")))
            }
            DmarcResult::PermError => {
                let detail = format!("The DMARC record of {domain} cannot be used.");
                Some(Finding::new("dmarc_permerror", Severity::Review, detail))
            }
            DmarcResult::TempError => {
                let detail = format!("DNS gave no answer about {domain}, so DMARC cannot be judged now.");
                Some(Finding::new("dmarc_temperror", Severity::Review, detail).deferring())
            }
            DmarcResult::Fail => Some(self.dmarc_failure(domain, trusted_sealers)),
        }
    }

    fn dmarc_failure(&self, domain: &str, trusted_sealers: &[String]) -> Finding {
        match (self.trusted_witness(domain, trusted_sealers), self.arc.result) {
            (Some(sealer), ArcResult::Pass) => {
                let detail =
                    format!("{sealer}, a trusted ARC sealer, saw DMARC pass for {domain} before it forwarded.");
                Finding::new("arc_override", Severity::Info, detail)
            }
            (Some(sealer), ArcResult::Undecided) => {
                let detail =
                    format!("DNS gave no answer about the ARC chain of {sealer}, which may explain why DMARC fails.");
                Finding::new("arc_temperror", Severity::Review, detail).deferring()
            }
            _ => self.unexplained_failure(domain),
        }
    }

    fn unexplained_failure(&self, domain: &str) -> Finding {
        let policy = self.dmarc.policy.unwrap_or(DmarcPolicy::None);
        let (spf, dkim) = (self.spf_in_words(), self.dkim_in_words(domain));
        let detail = format!(
            "Nothing shows that {domain} sent this: {spf}, and {dkim}. Its owner asks for p={}.",
            policy.as_str()
        );
        Finding::new("dmarc_fail", policy.severity(), detail)
    }

    fn spf_in_words(&self) -> String {
        let (result, domain) = (self.spf.as_str(), &self.spf_domain);
        match self.spf {
            SpfResult::Pass => format!("SPF passed, but for {domain}"),
            _ => format!("SPF gave {result} for {domain}"),
        }
    }

    fn dkim_in_words(&self, author_domain: &str) -> String {
        let domains = |with: DkimResult| {
            let found = self.dkim.iter().filter(|signature| signature.result == with);
            found.map(|signature| signature.domain.as_str()).collect::<Vec<_>>().join(", ")
        };
        match (self.dkim.as_slice(), self.dkim_result()) {
            ([], _) => "it has no DKIM signature".to_owned(),
            (_, DkimResult::Pass) => format!("DKIM passed, but for {}", domains(DkimResult::Pass)),
            (signatures, result) if signatures.iter().any(|s| s.domain == author_domain) => {
                format!("the DKIM signature of {author_domain} gave {}", result.as_str())
            }
            (_, result) => format!("DKIM gave {}", result.as_str()),
        }
    }

    /// The first sealer, when every sealer is trusted, the last one vouches for the From field, and what the first one
    /// recorded is a DMARC pass for this very author domain (RFC 8617 §7.2.1). Whether the chain holds is another matter.
    fn trusted_witness(&self, domain: &str, trusted_sealers: &[String]) -> Option<&str> {
        let first = self.arc.sealers.first()?;
        let all_trusted = self.arc.sealers.iter().all(|sealer| trusted_sealers.contains(sealer));
        let is_witness = all_trusted && self.arc.signs_author && records_dmarc_pass(&self.arc.first_results, domain);
        is_witness.then_some(first)
    }

    fn spf_finding(&self) -> Option<Finding> {
        let detail = format!("{} does not allow the client to send for it.", self.spf_domain);
        (self.spf == SpfResult::Fail).then(|| Finding::new("spf_fail", Severity::Info, detail))
    }

    fn flood_finding(&self) -> Option<Finding> {
        let detail = format!("{} signatures beyond {MAX_SIGNATURES} were not looked at.", self.ignored_signatures);
        (0 < self.ignored_signatures).then(|| Finding::new("dkim_signature_flood", Severity::Review, detail))
    }

    fn arc_finding(&self) -> Option<Finding> {
        let is_broken = matches!(self.arc.result, ArcResult::Fail | ArcResult::Undecided);
        let detail = || format!("Nothing that the ARC chain records counts: {}", self.arc.detail);
        is_broken.then(|| Finding::new("arc_fail", Severity::Info, detail()))
    }
}

impl DkimSignature {
    fn findings(&self) -> Vec<Finding> {
        let of = format!("The signature of {} (selector {})", self.domain, self.selector);
        if self.result != DkimResult::Pass {
            return vec![Finding::new(
                "dkim_fail",
                Severity::Info,
                format!("{of}: {}.", self.detail.trim_end_matches('.')),
            )];
        }
        let weak = self
            .weak_key_bits
            .map(|bits| Finding::new("dkim_weak_key", Severity::Info, format!("{of} has an RSA key of {bits} bits.")));
        let unsigned = (!self.unsigned_fields.is_empty()).then(|| {
            let detail = format!("{of} does not protect {}.", self.unsigned_fields.join(", "));
            Finding::new("dkim_unsigned_fields", Severity::Info, detail)
        });
        weak.into_iter().chain(unsigned).collect()
    }
}

/// Whether an Authentication-Results value (RFC 8601 §2.2) holds one DMARC result, a pass with `header.from=domain`. Comments and
/// quoted strings may hold anything, so they are taken out first; with two results somebody may have slipped one in.
fn records_dmarc_pass(results: &str, domain: &str) -> bool {
    let plain = without_comments_and_quotes(results).to_ascii_lowercase();
    let results = plain.split(';').map(without_space_around_equals);
    let about_dmarc: Vec<String> =
        results.filter(|result| result.starts_with("dmarc=") || result.starts_with("dmarc/")).collect();
    let [only] = about_dmarc.as_slice() else { return false };
    let mut words = only.split_ascii_whitespace();
    let passes = matches!(words.next(), Some("dmarc=pass" | "dmarc/1=pass"));
    passes && words.any(|word| word.strip_prefix("header.from=") == Some(domain))
}

fn without_space_around_equals(text: &str) -> String {
    text.split('=').map(str::trim).collect::<Vec<_>>().join("=")
}

fn without_comments_and_quotes(text: &str) -> String {
    let (mut plain, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted || 0 < depth => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth = depth.saturating_sub(1);
                plain.push(' ');
            }
            _ if quoted || 0 < depth => {}
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disposition::Disposition;

    fn author() -> Author {
        Author { display_name: None, local_part: "ann".to_owned(), domain: "bank.example".to_owned() }
    }

    fn failing(policy: DmarcPolicy) -> Authentication {
        Authentication {
            spf: SpfResult::None,
            spf_domain: "other.example".to_owned(),
            dkim: Vec::new(),
            ignored_signatures: 0,
            arc: Arc::default(),
            dmarc: Dmarc { result: DmarcResult::Fail, policy: Some(policy) },
        }
    }

    fn sealed(sealers: &[&str], first_results: &str) -> Authentication {
        let sealers = sealers.iter().map(ToString::to_string).collect();
        let first_results = first_results.to_owned();
        let arc = Arc { result: ArcResult::Pass, sealers, first_results, signs_author: true, ..Arc::default() };
        Authentication { arc, ..failing(DmarcPolicy::Reject) }
    }

    #[test]
    fn a_dmarc_failure_weighs_what_the_domain_owner_published() {
        for (policy, expected) in [
            (DmarcPolicy::None, Disposition::Deliver),
            (DmarcPolicy::Quarantine, Disposition::Quarantine),
            (DmarcPolicy::Reject, Disposition::Reject),
        ] {
            assert_eq!(Disposition::of(&failing(policy).findings(&author(), &[])), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_dns_failure_defers_and_never_rejects() {
        let dmarc = Dmarc { result: DmarcResult::TempError, policy: None };
        let undecided = Authentication { dmarc, ..failing(DmarcPolicy::Reject) };
        assert_eq!(Disposition::of(&undecided.findings(&author(), &[])), Disposition::Defer);
    }

    #[test]
    fn a_trusted_sealer_overrides_only_for_what_it_saw() {
        let trusted = ["lists.example".to_owned()];
        let seen = "i=1; mx.lists.example; dmarc=pass (p=reject) header.from=bank.example";
        for (sealers, results, expected) in [
            (&["lists.example"][..], seen, Disposition::Deliver),
            (&["lists.example", "evil.example"], seen, Disposition::Reject),
            (&["evil.example"], seen, Disposition::Reject),
            (&["lists.example"], "i=1; mx.lists.example; dmarc=fail header.from=bank.example", Disposition::Reject),
            (&["lists.example"], "i=1; mx.lists.example; dmarc=pass header.from=other.example", Disposition::Reject),
            (&["lists.example"], "i=1; mx; spf=pass (; dmarc=pass header.from=bank.example)", Disposition::Reject),
            (&["lists.example"], "i=1; mx; dmarc = pass(p=reject)header.from = bank.example", Disposition::Deliver),
            (&["lists.example"], "i=1; mx; dmarc/1=pass header.from=bank.example", Disposition::Deliver),
            (
                &["lists.example"],
                "i=1; mx; spf=pass smtp.mailfrom=a;dmarc=pass header.from=bank.example;@b; dmarc=fail header.from=bank.example",
                Disposition::Reject,
            ),
            (
                &["lists.example"],
                "i=1; mx; (a \\) b; dmarc=pass header.from=bank.example) spf=none",
                Disposition::Reject,
            ),
            (&["lists.example"], "i=1; mx; (\") spf=none; dmarc=pass header.from=bank.example", Disposition::Deliver),
            (
                &["lists.example"],
                "i=1; mx; spf=pass smtp.helo=\"; dmarc=pass header.from=bank.example \"",
                Disposition::Reject,
            ),
        ] {
            let findings = sealed(sealers, results).findings(&author(), &trusted);
            assert_eq!(Disposition::of(&findings), expected, "{sealers:?} {results}");
        }
    }

    #[test]
    fn a_failure_is_explained_by_what_passed_and_for_whom() {
        let signed = |domain: &str, result| DkimSignature {
            domain: domain.to_owned(),
            selector: "s".to_owned(),
            result,
            detail: "The body was changed after it was signed.".to_owned(),
            weak_key_bits: None,
            unsigned_fields: Vec::new(),
        };
        let (other, bank) = ("other.example", "bank.example");
        for (spf, spf_domain, dkim, expected) in [
            (SpfResult::Pass, other, vec![], "SPF passed, but for other.example, and it has no DKIM signature"),
            (SpfResult::Fail, bank, vec![], "SPF gave fail for bank.example, and it has no DKIM signature"),
            (
                SpfResult::None,
                other,
                vec![signed(other, DkimResult::Pass)],
                "SPF gave none for other.example, and DKIM passed, but for other.example",
            ),
            (
                SpfResult::None,
                other,
                vec![signed(bank, DkimResult::Fail)],
                "SPF gave none for other.example, and the DKIM signature of bank.example gave fail",
            ),
            (
                SpfResult::None,
                other,
                vec![signed(other, DkimResult::PermError)],
                "SPF gave none for other.example, and DKIM gave permerror",
            ),
        ] {
            let failing =
                Authentication { spf, spf_domain: spf_domain.to_owned(), dkim, ..failing(DmarcPolicy::Reject) };
            let findings = failing.findings(&author(), &[]);
            let failure = findings.iter().find(|finding| finding.code == "dmarc_fail").expect("DMARC fails");
            let expected =
                format!("Nothing shows that bank.example sent this: {expected}. Its owner asks for p=reject.");
            assert_eq!(failure.detail, expected);
        }
    }

    #[test]
    fn each_signature_has_the_findings_that_it_earned() {
        let signature = |result, weak_key_bits, unsigned_fields: &[&'static str]| DkimSignature {
            domain: "bank.example".to_owned(),
            selector: "s".to_owned(),
            result,
            detail: "The key is revoked.".to_owned(),
            weak_key_bits,
            unsigned_fields: unsigned_fields.to_vec(),
        };
        for (signature, expected) in [
            (signature(DkimResult::Pass, None, &[]), &[][..]),
            (signature(DkimResult::Pass, Some(1024), &["Subject"]), &["dkim_weak_key", "dkim_unsigned_fields"]),
            (signature(DkimResult::PermError, None, &[]), &["dkim_fail"]),
            (signature(DkimResult::TempError, None, &[]), &["dkim_fail"]),
        ] {
            let codes: Vec<_> = signature.findings().into_iter().map(|finding| finding.code).collect();
            assert_eq!(codes, expected);
        }
    }

    #[test]
    fn the_override_names_the_sealer() {
        let results = "i=1; mx.lists.example; dmarc=pass header.from=bank.example";
        let findings = sealed(&["lists.example"], results).findings(&author(), &["lists.example".to_owned()]);
        let details: Vec<&str> = findings.iter().map(|finding| finding.detail.as_str()).collect();
        assert_eq!(
            details,
            ["lists.example, a trusted ARC sealer, saw DMARC pass for bank.example before it forwarded."]
        );
    }
}
