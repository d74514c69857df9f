//! Keys under selectors that are well known. None of them proves nothing: a selector cannot be looked up.

use super::{
    finding::{Finding, FindingCode},
    key_record::{KeyKind, KeyRecord, is_key_record},
    place::{Found, State, shown_lines, shown_up_to},
    recorded::{Recorded, key_name},
    selector::SELECTORS,
};
use crate::rsa_key::{MIN_RSA_BITS, STRONG_RSA_BITS};

/// Of the record of one selector; an RSA key of 4,096 bits takes 750.
const MAX_RECORD_OCTETS: usize = 1_024;
/// Of all records together: twenty keys of the usual length.
const MAX_RECORDS_OCTETS: usize = 8_192;

/// The keys that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimPosture {
    /// `Unanswered` without a usable key or a wrong one: nobody knows then whether the domain signs.
    pub state: State,
    /// All records, one a line.
    pub record: Option<String>,
    /// Of selectors in the order of [`SELECTORS`].
    pub keys: Vec<SelectorKey>,
}

/// What one selector has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorKey {
    pub selector: &'static str,
    /// As published.
    pub record: String,
    /// `None` when it cannot be used.
    pub parsed: Option<KeyRecord>,
}

pub(super) fn judge(recorded: &Recorded, findings: &mut Vec<Finding>) -> DkimPosture {
    let domain = recorded.domain.as_str();
    let keys: Vec<SelectorKey> =
        SELECTORS.into_iter().filter_map(|selector| key(recorded, selector, findings)).collect();
    if keys.is_empty() {
        findings.push(no_known_selector(domain));
    }
    let is_usable = |key: &SelectorKey| key.parsed.is_some_and(|record| record.key.is_some());
    let state = if keys.iter().any(is_usable) {
        State::Valid
    } else if keys.iter().any(|key| key.parsed.is_none()) {
        State::Invalid
    } else {
        State::Unanswered
    };
    let record = shown_lines(keys.iter().flat_map(|key| key.record.lines()).map(str::as_bytes), MAX_RECORDS_OCTETS);
    DkimPosture { state, record, keys }
}

fn key(recorded: &Recorded, selector: &'static str, findings: &mut Vec<Finding>) -> Option<SelectorKey> {
    let name = key_name(selector, recorded.domain.as_str());
    let (record, parsed) = match recorded.place(&name, is_key_record) {
        Found::Unanswered | Found::Nothing => return None,
        Found::One(text) => {
            (shown_up_to(&text, MAX_RECORD_OCTETS), KeyRecord::parse(&text).map_err(|error| error.to_string()))
        }
        Found::Several(texts) => {
            let error = format!("there are {} key records, and nothing says which one counts", texts.len());
            (shown_lines(texts.iter().map(Vec::as_slice), MAX_RECORD_OCTETS).unwrap_or_default(), Err(error))
        }
    };
    findings.extend(match &parsed {
        Ok(record) => key_findings(&name, *record),
        Err(error) => vec![unusable(&name, error)],
    });
    Some(SelectorKey { selector, record, parsed: parsed.ok() })
}

fn key_findings(name: &str, record: KeyRecord) -> Vec<Finding> {
    let strength = match record.key {
        None => Some(revoked(name)),
        Some(KeyKind::Rsa { bits }) => short(name, bits),
        Some(KeyKind::Ed25519) => None,
    };
    strength.into_iter().chain(record.is_test.then(|| testing(name))).collect()
}

fn no_known_selector(domain: &str) -> Finding {
    let detail = format!(
        "None of {} well-known selectors has a key under _domainkey.{domain}; another selector may have one.",
        SELECTORS.len()
    );
    let fix = format!(
        "Nothing, if your messages carry a DKIM signature with d={domain}; otherwise publish at \
         SELECTOR._domainkey.{domain} the TXT record \"v=DKIM1; k=rsa; p=…\" that your mail system shows."
    );
    Finding::new(FindingCode::DkimNoKnownSelector, detail, fix)
}

fn unusable(name: &str, error: &str) -> Finding {
    let error = error.trim_end_matches('.');
    let fix = format!("Publish at {name} the one TXT record \"v=DKIM1; k=rsa; p=…\" that your mail system shows.");
    Finding::new(FindingCode::DkimKeyInvalid, format!("The key at {name} cannot be used: {error}."), fix)
}

fn revoked(name: &str) -> Finding {
    let fix =
        format!("Nothing; delete the TXT record at {name} when no message signed with it is on its way any more.");
    Finding::new(FindingCode::DkimKeyRevoked, format!("The key at {name} is revoked."), fix)
}

fn short(name: &str, bits: usize) -> Option<Finding> {
    let code = match bits {
        ..MIN_RSA_BITS => FindingCode::DkimKeyTooShort,
        MIN_RSA_BITS..STRONG_RSA_BITS => FindingCode::DkimKeyWeak,
        _ => return None,
    };
    let fix = format!(
        "Make a key of {STRONG_RSA_BITS} bits, publish it under a new selector as \"v=DKIM1; k=rsa; p=…\", sign with it, \
         and then empty p= at {name}."
    );
    Some(Finding::new(code, format!("The RSA key at {name} has {bits} bits."), fix))
}

fn testing(name: &str) -> Finding {
    let fix = format!("Remove y from t= in the TXT record at {name} once your messages verify.");
    Finding::new(FindingCode::DkimTesting, format!("The key at {name} is marked as a test."), fix)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{key_record::tests::rsa, recorded::tests::recorded},
        *,
    };

    #[test]
    fn keys_are_judged_by_their_strength_and_their_absence_proves_nothing() {
        use FindingCode::*;
        let key = |selector: &str, tags: &str| format!("{selector}._domainkey.x.example TXT v=DKIM1; {tags}\n");
        let of = |bits: usize| key("google", &format!("p={}", rsa(bits)));
        for (zone, state, expected) in [
            (of(2048), State::Valid, &[][..]),
            (of(2047), State::Valid, &[DkimKeyWeak]),
            (of(1024), State::Valid, &[DkimKeyWeak]),
            (of(1023), State::Valid, &[DkimKeyTooShort]),
            (String::new(), State::Unanswered, &[DkimNoKnownSelector]),
            (key("unknown", &format!("p={}", rsa(2048))), State::Unanswered, &[DkimNoKnownSelector]),
            (key("s1", "p="), State::Unanswered, &[DkimKeyRevoked]),
            (key("s1", "p=AAAA"), State::Invalid, &[DkimKeyInvalid]),
            (key("s1", "p=AAAA") + &key("s1", "p=BBBB"), State::Invalid, &[DkimKeyInvalid]),
            (key("s1", "p=") + &of(2048), State::Valid, &[DkimKeyRevoked]),
            (key("k1", &format!("t=y; p={}", rsa(2048))), State::Valid, &[DkimTesting]),
            ("s1._domainkey.x.example TXT v=DMARC1; p=reject".to_owned(), State::Unanswered, &[DkimNoKnownSelector]),
            ("s1._domainkey.x.example TXT failure".to_owned(), State::Unanswered, &[DkimNoKnownSelector]),
        ] {
            let mut findings = Vec::new();
            let posture = judge(&recorded("x.example", &zone), &mut findings);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((posture.state, codes.as_slice()), (state, expected), "{zone}");
        }
    }
}
