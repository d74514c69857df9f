//! What is to be done with a message.

use crate::finding::{Finding, Severity};

/// Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    Deliver,
    /// Nothing is known to be wrong, but something could not be judged now.
    Defer,
    Quarantine,
    Reject,
}

impl Disposition {
    /// Decides from findings alone: the strictest wins.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        findings.iter().map(Self::asked_for_by).max().unwrap_or(Self::Deliver)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Defer => "defer",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// `None` for a word that is no disposition.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Deliver, Self::Defer, Self::Quarantine, Self::Reject].into_iter().find(|known| known.as_str() == word)
    }

    fn asked_for_by(finding: &Finding) -> Self {
        match finding.severity {
            Severity::Reject => Self::Reject,
            Severity::Quarantine => Self::Quarantine,
            Severity::Info | Severity::Review if finding.defers => Self::Defer,
            Severity::Info | Severity::Review => Self::Deliver,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Finding {
        Finding::new("any", severity, "")
    }

    #[test]
    fn the_strictest_finding_decides() {
        use Severity::{Info, Quarantine, Reject, Review};
        let deferring = finding(Review).deferring();
        for (findings, expected) in [
            (vec![], Disposition::Deliver),
            (vec![finding(Info), finding(Review)], Disposition::Deliver),
            (vec![deferring.clone(), finding(Info)], Disposition::Defer),
            (vec![deferring.clone(), finding(Quarantine)], Disposition::Quarantine),
            (vec![finding(Reject), deferring, finding(Quarantine)], Disposition::Reject),
        ] {
            assert_eq!(Disposition::of(&findings), expected, "{findings:?}");
        }
    }
}
