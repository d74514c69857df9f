//! TXT records that look like one that counts, and that receivers ignore.

use super::{
    finding::{Finding, FindingCode},
    place::shown,
    recorded::Recorded,
};
use crate::{
    dmarc::is_dmarc,
    spf::{Data, QuestionKind, is_spf},
};

/// What receivers may not get in an answer over UDP (RFC 7208 §3.4).
const MAX_RELIABLE_OCTETS: usize = 512;

/// At most so many are named.
const MAX_NAMED: usize = 3;

/// What stands beside an SPF record, or in its place.
pub(super) fn beside_spf(recorded: &Recorded) -> Vec<Finding> {
    let domain = recorded.domain.as_str();
    let others: Vec<&[u8]> = texts(recorded, domain).filter(|text| !is_spf(text)).collect();
    let named = |is_kind: fn(&[u8]) -> bool, finding: fn(&str, &str) -> Finding| {
        let of_kind = others.iter().filter(move |text| is_kind(text)).take(MAX_NAMED);
        of_kind.map(move |text| finding(domain, &shown(text))).collect::<Vec<_>>()
    };
    let long = texts(recorded, domain).filter(|text| is_spf(text) && MAX_RELIABLE_OCTETS < text.len());
    let mut findings: Vec<Finding> = long.take(MAX_NAMED).map(|text| long_record(domain, text.len())).collect();
    findings.extend(named(resembles_spf, near_miss));
    findings.extend(named(is_sender_id, sender_id));
    findings
}

/// What stands beside a DMARC record, or in its place, and what stands where nobody looks for one.
pub(super) fn beside_dmarc(recorded: &Recorded) -> Vec<Finding> {
    let domain = recorded.domain.as_str();
    let name = format!("_dmarc.{domain}");
    let strays = texts(recorded, &name).filter(|text| !is_dmarc(text)).take(MAX_NAMED);
    let misplaced = texts(recorded, domain).filter(|text| is_dmarc(text)).take(1);
    let misplaced = misplaced.map(|text| misplaced_record(domain, &shown(text)));
    strays.map(|text| stray(&name, &shown(text))).chain(misplaced).collect()
}

fn texts<'r>(recorded: &'r Recorded, name: &str) -> impl Iterator<Item = &'r [u8]> {
    recorded.data(name, QuestionKind::Txt).unwrap_or_default().iter().filter_map(Data::as_text)
}

/// Begins like an SPF record, but for quotes, case, white space, or what follows the version.
fn resembles_spf(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    begins(b"v=spf") || begins(b"v=\"spf") || begins(b"v= spf") || begins(b"spf1") || begins(b"v:spf")
}

fn is_sender_id(text: &[u8]) -> bool {
    text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"spf2.0"))
}

fn near_miss(domain: &str, text: &str) -> Finding {
    let detail =
        format!("The TXT record {text:?} at {domain} looks like SPF, and does not begin with v=spf1 and a space.");
    let fix = format!("Let it begin with \"v=spf1 \", or delete it from {domain}; a domain has one SPF record.");
    Finding::new(FindingCode::SpfNearMiss, detail, fix)
}

fn sender_id(domain: &str, text: &str) -> Finding {
    let detail = format!("The TXT record {text:?} at {domain} is of Sender ID, which is historic.");
    Finding::new(FindingCode::SpfSenderId, detail, format!("Delete the TXT record {text:?} at {domain}."))
}

fn long_record(domain: &str, octets: usize) -> Finding {
    let detail = format!("The SPF record of {domain} has {octets} octets.");
    let fix = format!(
        "Move part of the TXT record at {domain} to another name, and include that: \"include:_spf.{domain}\"."
    );
    Finding::new(FindingCode::SpfLong, detail, fix)
}

fn stray(name: &str, text: &str) -> Finding {
    let detail = format!("The TXT record {text:?} at {name} does not begin with v=DMARC1, so it is ignored.");
    let fix = format!("Let it begin with \"v=DMARC1;\" if it is meant for DMARC, otherwise delete it from {name}.");
    Finding::new(FindingCode::DmarcStrayText, detail, fix)
}

fn misplaced_record(domain: &str, text: &str) -> Finding {
    let detail = format!("A DMARC record stands at {domain}, where nobody looks for it.");
    let fix = format!("Move it: publish at _dmarc.{domain} the TXT record {text:?}.");
    Finding::new(FindingCode::DmarcMisplaced, detail, fix)
}

#[cfg(test)]
mod tests {
    use super::{super::recorded::tests::recorded, *};

    #[test]
    fn what_looks_like_a_record_and_is_none_is_named() {
        use FindingCode::*;
        let long = format!("x.example TXT v=spf1 {}-all", "ip4:192.0.2.1 ".repeat(40));
        for (zone, expected) in [
            ("x.example TXT v=spf1 -all\n_dmarc.x.example TXT v=DMARC1; p=none", &[][..]),
            ("x.example TXT google-site-verification=v", &[]),
            ("x.example TXT V=SPF -all", &[SpfNearMiss]),
            ("x.example TXT \"v=spf1 -all\"", &[SpfNearMiss]),
            ("x.example TXT v=spf1;-all", &[SpfNearMiss]),
            ("x.example TXT spf1 -all", &[SpfNearMiss]),
            ("x.example TXT spf2.0/pra -all", &[SpfSenderId]),
            (&long, &[SpfLong]),
            ("_dmarc.x.example TXT v=dmarc1; p=none", &[DmarcStrayText]),
            ("_dmarc.x.example TXT v=spf1 -all\n_dmarc.x.example TXT v=DMARC1; p=none", &[DmarcStrayText]),
            ("x.example TXT v=DMARC1; p=none", &[DmarcMisplaced]),
            ("x.example TXT failure\n_dmarc.x.example TXT failure", &[]),
        ] {
            let recorded = recorded("x.example", zone);
            let findings = beside_spf(&recorded).into_iter().chain(beside_dmarc(&recorded));
            let codes: Vec<FindingCode> = findings.map(|finding| finding.code).collect();
            assert_eq!(codes, expected, "{zone}");
        }
        let many = "x.example TXT v=spf\n".repeat(9);
        assert_eq!(beside_spf(&recorded("x.example", &many)).len(), MAX_NAMED);
    }
}
