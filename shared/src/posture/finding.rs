//! Every finding about a posture: a stable code, how grave it is, and what it costs.

use std::collections::BTreeMap;

use super::place::shown_up_to;
use crate::address::Domain;

/// Findings of one code that are told one by one.
const MAX_OF_A_CODE: usize = 10;
/// What all findings together may take, in octets: some thirty of the usual length, and more than one of the longest.
const MAX_OCTETS: usize = 32_768;
/// What stands around the texts of one finding on the wire.
const FRAME_OCTETS: usize = 128;
/// Of each text; what a record is to be replaced by stands in it whole.
const MAX_TEXT_OCTETS: usize = 4_096;

/// How grave a finding is. Ordered: the later, the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; costs nothing.
    Info,
    /// Protects less than it could.
    Warning,
    /// Does not protect, or makes receivers ignore the record.
    Error,
}

impl Severity {
    /// The word of the wire format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Domain,
    Mx,
    Spf,
    Dkim,
    Dmarc,
    MtaSts,
    TlsRpt,
    Bimi,
    Dnssec,
}

impl Part {
    pub const ALL: [Self; 9] = [
        Self::Domain,
        Self::Mx,
        Self::Spf,
        Self::Dkim,
        Self::Dmarc,
        Self::MtaSts,
        Self::TlsRpt,
        Self::Bimi,
        Self::Dnssec,
    ];

    /// What it counts in the score, all parts together 100. BIMI shows a logo and protects nobody.
    #[must_use]
    pub const fn points(self) -> u32 {
        match self {
            Self::Domain | Self::Bimi => 0,
            Self::TlsRpt => 5,
            Self::Mx | Self::Dkim | Self::MtaSts | Self::Dnssec => 10,
            Self::Spf => 25,
            Self::Dmarc => 30,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: FindingCode,
    /// One sentence: what was found.
    pub detail: String,
    /// One sentence: what to do, with the record to publish.
    pub fix: String,
}

impl Finding {
    pub(super) fn new(code: FindingCode, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        let text = |text: String| shown_up_to(text.as_bytes(), MAX_TEXT_OCTETS);
        Self { code, detail: text(detail.into()), fix: text(fix.into()) }
    }

    /// Points of its part.
    pub(super) fn cost(&self) -> u32 {
        self.code.points()
    }

    /// As many as somebody reads, however many a zone provokes: the first of each code, and how many more there are.
    pub(super) fn bounded(findings: Vec<Self>) -> Vec<Self> {
        let (mut told, mut octets): (Vec<Self>, usize) = (Vec::new(), 0);
        let mut untold: BTreeMap<FindingCode, usize> = BTreeMap::new();
        for finding in findings {
            let of_code = told.iter().filter(|other| other.code == finding.code).count();
            let size = finding.detail.len() + finding.fix.len() + FRAME_OCTETS;
            if of_code < MAX_OF_A_CODE && octets + size <= MAX_OCTETS {
                octets += size;
                told.push(finding);
            } else {
                *untold.entry(finding.code).or_default() += 1;
            }
        }
        told.extend(untold.into_iter().map(|(code, count)| Self::more(code, count)));
        told.sort_by_key(|finding| std::cmp::Reverse(finding.code.severity()));
        told
    }

    fn more(code: FindingCode, count: usize) -> Self {
        let detail = format!("{count} more: {}", code.summary());
        Self::new(code, detail, "Correct what is named first, and ask again for what is left.")
    }

    pub(super) fn nonexistent(domain: &Domain) -> Self {
        let fix = format!("Register {domain} or correct its spelling; a subdomain exists once it has any record.");
        Self::new(FindingCode::DomainNonexistent, format!("DNS says that {domain} does not exist."), fix)
    }

    pub(super) fn unanswered(questions: &[String]) -> Self {
        let detail = format!("DNS gave no answer about {}; what is there is not known.", questions.join(", "));
        let fix = "Ask again later; if it stays so, have the name servers of the domain looked at.";
        Self::new(FindingCode::DnsUnanswered, detail, fix)
    }
}

/// Declares every code once, so that the enum, `ALL` and the facts cannot drift apart.
macro_rules! finding_codes {
    ($($variant:ident = $code:literal, $part:ident, $severity:ident, $points:literal, $summary:literal;)+) => {
        /// The stable name of a finding. A code keeps its name and meaning once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $(#[doc = $summary] $variant,)+
        }

        impl FindingCode {
            /// Every code, in the order of the README table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The `snake_case` code of the wire format.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            #[must_use]
            pub const fn part(self) -> Part {
                match self { $(Self::$variant => Part::$part,)+ }
            }

            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// Points of its part that it costs; no part loses more than it has.
            #[must_use]
            pub const fn points(self) -> u32 {
                match self { $(Self::$variant => $points,)+ }
            }

            /// One sentence that holds wherever the code occurs.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }
        }
    };
}

finding_codes! {
    DomainNonexistent = "domain_nonexistent", Domain, Error, 100, "The domain does not exist.";
    DnsUnanswered = "dns_unanswered", Domain, Warning, 0, "DNS gave no answer; the parts concerned are left out of the score.";
    MxMissing = "mx_missing", Mx, Warning, 5, "The domain neither names a mail host nor says that it takes no mail.";
    MxNull = "mx_null", Mx, Info, 0, "The domain says that it takes no mail (RFC 7505).";
    MxNullBesideHosts = "mx_null_beside_hosts", Mx, Error, 10, "A null MX stands beside mail hosts (RFC 7505 §3).";
    MxManyHosts = "mx_many_hosts", Mx, Info, 0, "There are more MX records than are looked at.";
    MxDuplicateHost = "mx_duplicate_host", Mx, Warning, 2, "A mail host is named twice.";
    MxIpAddress = "mx_ip_address", Mx, Error, 10, "An MX record names an IP address instead of a host (RFC 5321 §5.1).";
    MxHostWithoutAddress = "mx_host_without_address", Mx, Error, 5, "A mail host has no address.";
    MxNotPublic = "mx_not_public", Mx, Error, 5, "A mail host has only loopback, private or reserved addresses.";
    SpfMissing = "spf_missing", Spf, Error, 25, "There is no SPF record.";
    SpfSeveralRecords = "spf_several_records", Spf, Error, 25, "There are several SPF records, which is a permerror (RFC 7208 §4.5).";
    SpfInvalid = "spf_invalid", Spf, Error, 25, "The SPF record breaks the grammar, which is a permerror (RFC 7208 §4.6).";
    SpfPassesEveryone = "spf_passes_everyone", Spf, Error, 25, "Every client passes SPF: +all, or a network of all addresses.";
    SpfTooManyLookups = "spf_too_many_lookups", Spf, Error, 25, "SPF needs more than 10 lookups, which is a permerror (RFC 7208 §4.6.4).";
    SpfTooManyVoidLookups = "spf_too_many_void_lookups", Spf, Error, 25, "More than 2 lookups of SPF find nothing, which is a permerror (RFC 7208 §4.6.4).";
    SpfBrokenPolicy = "spf_broken_policy", Spf, Error, 25, "A policy that SPF includes or redirects to cannot be used, which is a permerror (RFC 7208 §5.2, §6.1).";
    SpfNeutralAll = "spf_neutral_all", Spf, Warning, 10, "SPF ends with ?all, which says nothing about other clients.";
    SpfNoAll = "spf_no_all", Spf, Warning, 10, "SPF ends without all or redirect, which says nothing about other clients.";
    SpfTermsAfterAll = "spf_terms_after_all", Spf, Warning, 2, "Terms behind all are never tried (RFC 7208 §5.1).";
    SpfRedirectIgnored = "spf_redirect_ignored", Spf, Warning, 2, "A redirect beside all is ignored (RFC 7208 §6.1).";
    SpfPtr = "spf_ptr", Spf, Warning, 3, "SPF uses ptr, which is slow and not reliable (RFC 7208 §5.5).";
    SpfDeprecatedType = "spf_deprecated_type", Spf, Info, 0, "There is a DNS record of type SPF, which nobody reads any more (RFC 7208 §3.1).";
    SpfUnknownModifier = "spf_unknown_modifier", Spf, Info, 0, "A modifier that nobody knows is ignored (RFC 7208 §6).";
    SpfExplanationMissing = "spf_explanation_missing", Spf, Info, 0, "The explanation that exp names is not one TXT record (RFC 7208 §6.2).";
    SpfNearMiss = "spf_near_miss", Spf, Warning, 0, "A TXT record looks like SPF and does not count (RFC 7208 §4.5).";
    SpfSenderId = "spf_sender_id", Spf, Info, 0, "There is a record of Sender ID, which is historic.";
    SpfLong = "spf_long", Spf, Warning, 2, "The SPF record has more than 512 octets, which some answers cannot carry (RFC 7208 §3.4).";
    DkimNoKnownSelector = "dkim_no_known_selector", Dkim, Info, 0, "No well-known selector has a key, which proves nothing: selectors cannot be listed.";
    DkimKeyInvalid = "dkim_key_invalid", Dkim, Warning, 5, "A DKIM key record cannot be used (RFC 6376 §3.6.1).";
    DkimKeyTooShort = "dkim_key_too_short", Dkim, Error, 10, "A DKIM key has fewer than 1024 bits and verifies nothing (RFC 8301 §3.2).";
    DkimKeyWeak = "dkim_key_weak", Dkim, Warning, 4, "A DKIM key has fewer than 2048 bits (RFC 8301 §3.2).";
    DkimTesting = "dkim_testing", Dkim, Warning, 2, "A DKIM key is marked as a test (RFC 6376 §3.6.1).";
    DkimKeyRevoked = "dkim_key_revoked", Dkim, Info, 0, "A DKIM key is revoked, as it should be when its time is over.";
    DmarcMissing = "dmarc_missing", Dmarc, Error, 30, "There is no DMARC record, here or above (RFC 9989 §4.10).";
    DmarcSeveralRecords = "dmarc_several_records", Dmarc, Error, 30, "There are several DMARC records, so none counts (RFC 9989 §4.10).";
    DmarcInvalid = "dmarc_invalid", Dmarc, Error, 30, "The DMARC record cannot be used (RFC 9989 §4.7).";
    DmarcPolicyNone = "dmarc_policy_none", Dmarc, Warning, 15, "DMARC asks for nothing when a message fails.";
    DmarcSubdomainsWeaker = "dmarc_subdomains_weaker", Dmarc, Warning, 8, "sp asks for less than p, so that subdomains can be forged.";
    DmarcNonexistentWeaker = "dmarc_nonexistent_weaker", Dmarc, Warning, 4, "np asks for less than what holds for subdomains that exist.";
    DmarcTesting = "dmarc_testing", Dmarc, Warning, 8, "t=y lowers the policy by one level (RFC 9989 §4.7).";
    DmarcPercentage = "dmarc_percentage", Dmarc, Warning, 2, "pct was removed by RFC 9989; receivers that still know it spare part of the forgeries.";
    DmarcObsoleteTag = "dmarc_obsolete_tag", Dmarc, Info, 0, "A tag that RFC 9989 removed, and that changes nothing.";
    DmarcBadValue = "dmarc_bad_value", Dmarc, Warning, 2, "A tag has a value that does not exist, so it does not count (RFC 9989 §4.7).";
    DmarcUnknownTag = "dmarc_unknown_tag", Dmarc, Info, 0, "A tag that nobody knows is ignored (RFC 9989 §4.7).";
    DmarcReportsMissing = "dmarc_reports_missing", Dmarc, Warning, 3, "Nobody gets aggregate reports (RFC 9990).";
    DmarcReportsInvalid = "dmarc_reports_invalid", Dmarc, Warning, 3, "An address for reports is not a mailto URI with a mailbox.";
    DmarcReportsUnauthorised = "dmarc_reports_unauthorised", Dmarc, Warning, 3, "Reports go to a domain that did not agree to take them (RFC 9990 §4).";
    DmarcReportsUndeliverable = "dmarc_reports_undeliverable", Dmarc, Warning, 1, "Reports go to a domain that names no mail host.";
    DmarcInherited = "dmarc_inherited", Dmarc, Info, 0, "The DMARC record of a domain above applies (RFC 9989 §4.10).";
    DmarcStrayText = "dmarc_stray_text", Dmarc, Warning, 0, "A TXT record at _dmarc is no DMARC record and is ignored (RFC 9989 §4.10).";
    DmarcMisplaced = "dmarc_misplaced", Dmarc, Warning, 0, "A DMARC record stands at the domain itself, where nobody looks.";
    MtaStsMissing = "mta_sts_missing", MtaSts, Warning, 10, "There is no MTA-STS record: who stands between can turn off TLS (RFC 8461).";
    MtaStsSeveralRecords = "mta_sts_several_records", MtaSts, Error, 10, "There are several MTA-STS records, so none counts (RFC 8461 §3.1).";
    MtaStsInvalid = "mta_sts_invalid", MtaSts, Error, 10, "The MTA-STS record cannot be used (RFC 8461 §3.1).";
    TlsRptMissing = "tls_rpt_missing", TlsRpt, Warning, 5, "Nobody hears of failing TLS (RFC 8460).";
    TlsRptSeveralRecords = "tls_rpt_several_records", TlsRpt, Error, 5, "There are several TLS-RPT records, so none counts (RFC 8460 §3).";
    TlsRptInvalid = "tls_rpt_invalid", TlsRpt, Error, 5, "The TLS-RPT record cannot be used (RFC 8460 §3).";
    BimiMissing = "bimi_missing", Bimi, Info, 0, "There is no BIMI record: receivers show no logo.";
    BimiSeveralRecords = "bimi_several_records", Bimi, Warning, 0, "There are several BIMI records, so none counts.";
    BimiInvalid = "bimi_invalid", Bimi, Warning, 0, "The BIMI record cannot be used.";
    BimiWithoutEnforcement = "bimi_without_enforcement", Bimi, Warning, 0, "BIMI has no effect while DMARC asks for neither quarantine nor reject.";
    BimiWithoutCertificate = "bimi_without_certificate", Bimi, Info, 0, "The logo has no mark certificate, which large receivers ask for.";
    DnssecMissing = "dnssec_missing", Dnssec, Warning, 10, "The zone is not signed: no DS record above it (RFC 4034 §5).";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_snake_case_and_begin_with_their_part() {
        let codes: BTreeSet<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), FindingCode::ALL.len());
        for code in FindingCode::ALL {
            let written = code.as_str();
            assert!(written.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'), "{written}");
            let part = format!("{:?}", code.part()).to_ascii_lowercase();
            let begins = written.replace('_', "").starts_with(&part);
            assert!(begins || *code == FindingCode::DnsUnanswered, "{written}");
        }
    }

    #[test]
    fn ten_findings_of_a_code_are_told_and_how_many_more_there_are() {
        use FindingCode::*;
        let of = |code, count, text: &str| (0..count).map(move |_| Finding::new(code, text, "")).collect::<Vec<_>>();
        let findings = [of(MxIpAddress, 2_200, "x"), of(SpfPtr, 10, "x"), of(BimiMissing, 1, "x")].concat();
        let told = Finding::bounded(findings);
        let codes: Vec<FindingCode> = told.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [&[MxIpAddress; 11][..], &[SpfPtr; 10], &[BimiMissing]].concat());
        assert!(told[10].detail.starts_with("2190 more: "), "{}", told[10].detail);
        let long = Finding::bounded([of(SpfPtr, 20, &"x".repeat(9_000)), of(BimiMissing, 1, "x")].concat());
        let sizes: Vec<usize> = long.iter().map(|finding| finding.detail.len()).collect();
        assert!(sizes[..7].iter().all(|size| *size == 4_096 + "…".len()), "{sizes:?}");
        assert_eq!((long.len(), long[7].detail.starts_with("13 more: ")), (9, true), "{sizes:?}");
    }

    #[test]
    fn what_is_only_worth_knowing_costs_nothing_and_no_finding_costs_more_than_its_part_has() {
        for code in FindingCode::ALL {
            assert!(code.severity() != Severity::Info || code.points() == 0, "{code:?}");
            assert!(code.part() == Part::Domain || code.points() <= code.part().points(), "{code:?}");
        }
    }
}
