//! What a domain publishes in DNS to protect its mail, judged: what is there, what is missing, and what to publish.
//!
//! [`Posture::of`] turns recorded answers of DNS into a judgement and is pure; `io::posture` records them.
//!
//! | file | what |
//! |---|---|
//! | `subject` | which texts name a domain that can be judged |
//! | `recorded` | the questions to DNS, in two rounds, and their answers |
//! | `selector` | the DKIM selectors that are tried, since a selector cannot be looked up |
//! | `finding` | every code, its severity and what it costs |
//! | `place` | a name where one record belongs: nothing, one, several, or no answer |
//! | `mx`, `spf`, `dkim`, `dmarc`, `mta_sts`, `tls_rpt`, `bimi`, `dnssec` | one protection each |
//! | `dmarc_policy` | what there is to say about a DMARC record that can be used |
//! | `dmarc_tag` | tags of a DMARC record that say nothing |
//! | `stray` | texts that look like a record that counts, and are none |
//! | `key_record` | what a DKIM key record holds |
//! | `report` | who is to get DMARC reports, and whether they agreed (RFC 9990 §4) |
//! | `score` | one number |

mod bimi;
mod dkim;
mod dmarc;
mod dmarc_policy;
mod dmarc_tag;
mod dnssec;
mod finding;
mod key_record;
mod mta_sts;
mod mx;
mod place;
mod recorded;
mod report;
mod score;
mod selector;
mod spf;
mod stray;
mod subject;
mod tls_rpt;

pub use bimi::{BimiError, BimiRecord};
pub use dkim::{DkimPosture, SelectorKey};
pub use dmarc::DmarcPosture;
pub use dnssec::DnssecPosture;
pub use finding::{Finding, FindingCode, Part, Severity};
pub use key_record::{KeyKind, KeyRecord, KeyRecordError};
pub use mta_sts::{MtaStsError, MtaStsRecord};
pub use mx::{MxHost, MxPosture};
pub use place::{Place, State};
pub use recorded::{MAX_QUESTIONS, Recorded};
pub use score::Score;
pub use selector::SELECTORS;
pub use spf::SpfPosture;
pub use subject::{SubjectError, subject};
pub use tls_rpt::{TlsRptError, TlsRptRecord};

use crate::address::Domain;

/// One domain, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posture {
    pub domain: Domain,
    pub score: Score,
    pub mx: MxPosture,
    pub spf: Place<SpfPosture>,
    pub dkim: DkimPosture,
    pub dmarc: Place<DmarcPosture>,
    pub mta_sts: Place<MtaStsRecord>,
    pub tls_rpt: Place<TlsRptRecord>,
    pub bimi: Place<BimiRecord>,
    pub dnssec: DnssecPosture,
    /// The gravest first, otherwise in the order of the parts. At most ten of a code, and how many more there are.
    pub findings: Vec<Finding>,
}

impl Posture {
    /// Judges what DNS said. What it did not say is a finding of its own, and counts neither for nor against the domain.
    #[must_use]
    pub fn of(recorded: &Recorded) -> Self {
        let mut findings = Vec::new();
        let mx = mx::judge(recorded, &mut findings);
        let spf = spf::judge(recorded, &mx, &mut findings);
        let dkim = dkim::judge(recorded, &mut findings);
        let dmarc = dmarc::judge(recorded, &mut findings);
        let mta_sts = mta_sts::judge(recorded, &mx, &mut findings);
        let tls_rpt = tls_rpt::judge(recorded, &mx, &mut findings);
        let bimi = bimi::judge(recorded, &dmarc, &mut findings);
        let dnssec = dnssec::judge(recorded, &mut findings);
        let unjudged = [
            (Part::Mx, mx.state),
            (Part::Spf, spf.state),
            (Part::Dkim, dkim.state),
            (Part::Dmarc, dmarc.state),
            (Part::MtaSts, mta_sts.state),
            (Part::TlsRpt, tls_rpt.state),
            (Part::Dnssec, dnssec.state),
        ];
        let unjudged = unjudged.into_iter().filter(|(_, state)| *state == State::Unanswered).map(|(part, _)| part);
        let unjudged: Vec<Part> = unjudged.collect();
        if recorded.is_nonexistent() {
            findings = vec![Finding::nonexistent(&recorded.domain)];
        } else if !recorded.unanswered().is_empty() {
            findings.push(Finding::unanswered(&recorded.unanswered()));
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.code.severity()));
        let score = Score::of(&findings, &unjudged);
        let findings = Finding::bounded(findings);
        let domain = recorded.domain.clone();
        Self { domain, score, mx, spf, dkim, dmarc, mta_sts, tls_rpt, bimi, dnssec, findings }
    }
}
