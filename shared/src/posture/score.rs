//! One number for a posture.

use super::finding::{Finding, Part};

/// What the domain has of what could be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100: the points of the judged parts without those that findings cost, in percent, rounded down.
    pub percent: u8,
    /// 0 to 100: the points of the judged parts. What DNS did not answer is not judged; with nothing judged, `percent` is
    /// 0 and says nothing.
    pub judged: u8,
}

impl Score {
    pub(super) fn of(findings: &[Finding], unjudged: &[Part]) -> Self {
        let judged = Part::ALL.into_iter().filter(|part| !unjudged.contains(part));
        let (mut due, mut kept) = (0_u32, 0_u32);
        for part in judged {
            let costs: u32 = findings.iter().filter(|finding| finding.code.part() == part).map(Finding::cost).sum();
            due += part.points();
            kept += part.points().saturating_sub(costs);
        }
        let is_nonexistent = findings.iter().any(|finding| finding.code.part() == Part::Domain && 0 < finding.cost());
        let percent = if is_nonexistent { 0 } else { (100 * kept).checked_div(due).unwrap_or(0) };
        Self { percent: u8::try_from(percent).unwrap_or(100), judged: u8::try_from(due).unwrap_or(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::FindingCode, *};

    fn score(codes: &[FindingCode], unjudged: &[Part]) -> (u8, u8) {
        let findings: Vec<Finding> = codes.iter().map(|code| Finding::new(*code, "", "")).collect();
        let Score { percent, judged } = Score::of(&findings, unjudged);
        (percent, judged)
    }

    #[test]
    fn findings_cost_points_up_to_those_of_their_part_and_what_is_not_known_costs_nothing() {
        use FindingCode::*;
        for (codes, unjudged, expected) in [
            (&[][..], &[][..], (100, 100)),
            (&[DkimNoKnownSelector, BimiMissing, DmarcInherited], &[], (100, 100)),
            (&[DmarcMissing], &[], (70, 100)),
            (&[SpfMissing], &[], (75, 100)),
            (&[SpfTooManyLookups, SpfTooManyVoidLookups, SpfPtr], &[], (75, 100)),
            (&[DnsUnanswered], &[Part::Dmarc], (100, 70)),
            (&[SpfMissing], &[Part::Dmarc], (64, 70)),
            (&[DnsUnanswered], &Part::ALL, (0, 0)),
            (&[DomainNonexistent], &[], (0, 100)),
        ] {
            assert_eq!(score(codes, unjudged), expected, "{codes:?}");
        }
    }

    #[test]
    fn the_parts_have_a_hundred_points() {
        assert_eq!(Part::ALL.into_iter().map(Part::points).sum::<u32>(), 100);
    }
}
