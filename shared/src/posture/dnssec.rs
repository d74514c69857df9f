//! Whether the zone above vouches for keys of the domain's zone (RFC 4034 §5). Nothing is validated: a DS record may be
//! there and the signatures may be wrong all the same.

use super::{
    finding::{Finding, FindingCode},
    place::State,
    recorded::Recorded,
};
use crate::{dmarc::targets, spf::QuestionKind};

/// What is known of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnssecPosture {
    pub state: State,
    /// Where the zone begins that holds the domain; `None` when DNS did not say.
    pub zone: Option<String>,
}

/// Names at which the zone may begin, the longest first.
pub(super) fn zone_candidates(domain: &str) -> impl Iterator<Item = &str> {
    targets(domain).into_iter().filter(|name| name.contains('.'))
}

/// The nearest name at or above the domain that has an SOA record; the domain itself when none has.
pub(super) fn zone(recorded: &Recorded) -> Option<&str> {
    let domain = recorded.domain.as_str();
    for name in zone_candidates(domain) {
        if !recorded.data(name, QuestionKind::Soa)?.is_empty() {
            return Some(name);
        }
    }
    Some(domain)
}

pub(super) fn judge(recorded: &Recorded, findings: &mut Vec<Finding>) -> DnssecPosture {
    let zone = zone(recorded);
    let state = match zone.and_then(|zone| recorded.data(zone, QuestionKind::Ds)) {
        None => State::Unanswered,
        Some([]) => State::Absent,
        Some(_) => State::Valid,
    };
    if let (State::Absent, Some(zone)) = (state, zone) {
        findings.push(missing(zone));
    }
    DnssecPosture { state, zone: zone.map(str::to_owned) }
}

fn missing(zone: &str) -> Finding {
    let fix = format!(
        "Have your DNS provider sign {zone}, and your registrar publish the DS record that it shows, which looks like \
         \"{zone}. DS KEYTAG 13 2 DIGEST\"."
    );
    Finding::new(
        FindingCode::DnssecMissing,
        format!("The zone {zone} has no DS record, so its answers can be forged."),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::{super::recorded::tests::recorded, *};

    #[test]
    fn the_zone_that_holds_the_domain_is_the_one_that_counts() {
        let ds = "\nx.example DS 1 13 2 AB";
        for (zone, state, apex) in [
            (format!("x.example SOA x{ds}"), State::Valid, Some("x.example")),
            (format!("a.x.example SOA x\nx.example SOA x{ds}"), State::Absent, Some("a.x.example")),
            ("x.example SOA x".to_owned(), State::Absent, Some("x.example")),
            (String::new(), State::Absent, Some("a.x.example")),
            ("x.example SOA x\nx.example DS failure".to_owned(), State::Unanswered, Some("x.example")),
            (format!("a.x.example SOA failure{ds}"), State::Unanswered, None),
        ] {
            let mut findings = Vec::new();
            let posture = judge(&recorded("a.x.example", &zone), &mut findings);
            assert_eq!((posture.state, posture.zone.as_deref()), (state, apex), "{zone}");
            assert_eq!(findings.len(), usize::from(state == State::Absent), "{zone}");
        }
    }
}
