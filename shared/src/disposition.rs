//! What is to be done with a message: a pure function of its findings, and of how much a receiver lets each weigh.

use crate::{
    finding::{Finding, Severity},
    spf::is_at_or_under,
};

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

/// How much findings weigh for a receiver who disagrees with us. Each is `CODE=WEIGHT`, or `CODE@DOMAIN=WEIGHT` for
/// messages whose author is of that domain or below it; a weight is a severity, or `defer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(Vec<Override>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Override {
    code: String,
    domain: Option<String>,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Of(Severity),
    Defer,
}

/// Without them nobody knows what a message holds.
pub const UNSEEN: [&str; 3] = ["deadline_exceeded", "inspection_unavailable", "inspection_failed"];

/// Why a text is no override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    #[error("{0:?} is not CODE=WEIGHT or CODE@DOMAIN=WEIGHT")]
    Malformed(String),
    #[error("there is no finding {0:?}")]
    UnknownCode(String),
    #[error("{0:?} is neither info, review, defer, quarantine nor reject")]
    UnknownWeight(String),
    #[error("{0:?} would deliver what nobody has looked at")]
    Unseen(String),
}

impl Overrides {
    /// `is_code` tells whether a finding of that code exists: one that is misspelt would weigh nothing, unnoticed.
    ///
    /// # Errors
    /// The first text that is no override.
    pub fn parse(texts: &[String], is_code: impl Fn(&str) -> bool) -> Result<Self, OverrideError> {
        texts.iter().map(|text| Override::parse(text, &is_code)).collect::<Result<_, _>>().map(Self)
    }

    /// Weighs findings anew, and says so in each. Of several overrides of a code, that of the closest domain counts, and
    /// the last of those. What is for one domain makes nothing milder for whoever only claims to be of it, unless it is about
    /// DMARC itself.
    pub fn apply(&self, findings: &mut [Finding], author_domain: Option<&str>, is_authenticated: bool) {
        for finding in findings {
            let fitting = self.0.iter().filter(|of| of.code == finding.code && of.is_about(author_domain));
            let Some(closest) = fitting.max_by_key(|of| of.domain.as_ref().map_or(0, String::len)) else { continue };
            let is_certain = closest.domain.is_none() || is_authenticated || finding.code.starts_with("dmarc_");
            let weighed = closest.weight.given_to(finding);
            if is_certain || Disposition::asked_for_by(finding) <= Disposition::asked_for_by(&weighed) {
                *finding = weighed;
            }
        }
    }
}

impl Override {
    fn parse(text: &str, is_code: impl Fn(&str) -> bool) -> Result<Self, OverrideError> {
        let malformed = || OverrideError::Malformed(text.to_owned());
        let (what, weight) = text.split_once('=').ok_or_else(malformed)?;
        let (code, domain) = match what.split_once('@') {
            Some((_, "")) => return Err(malformed()),
            Some((code, domain)) => (code, Some(domain.to_ascii_lowercase())),
            None => (what, None),
        };
        if !is_code(code) {
            return Err(OverrideError::UnknownCode(code.to_owned()));
        }
        let weight = Weight::parse(weight).ok_or_else(|| OverrideError::UnknownWeight(weight.to_owned()))?;
        if UNSEEN.contains(&code) && matches!(weight, Weight::Of(Severity::Info | Severity::Review)) {
            return Err(OverrideError::Unseen(text.to_owned()));
        }
        Ok(Self { code: code.to_owned(), domain, weight })
    }

    fn is_about(&self, author_domain: Option<&str>) -> bool {
        let Some(domain) = &self.domain else { return true };
        author_domain.is_some_and(|author_domain| is_at_or_under(author_domain, domain))
    }
}

impl Weight {
    fn parse(word: &str) -> Option<Self> {
        if word == "defer" { Some(Self::Defer) } else { Severity::parse(word).map(Self::Of) }
    }

    fn given_to(self, finding: &Finding) -> Finding {
        let (severity, defers, word) = match self {
            Self::Of(severity) => (severity, false, severity.as_str()),
            Self::Defer => (Severity::Review, true, "defer"),
        };
        let detail = format!("{} This receiver weighs it as {word}.", finding.detail);
        Finding { severity, defers, detail, ..finding.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    fn weighed(overrides: &[&str], author_domain: Option<&str>) -> Disposition {
        weighed_for(Finding::new("any", Severity::Quarantine, ""), overrides, author_domain, true)
    }

    fn weighed_for(
        finding: Finding,
        overrides: &[&str],
        author_domain: Option<&str>,
        is_authenticated: bool,
    ) -> Disposition {
        let texts: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        let overrides = Overrides::parse(&texts, |code| code != "amy").expect("the table holds overrides");
        let mut findings = [finding];
        overrides.apply(&mut findings, author_domain, is_authenticated);
        Disposition::of(&findings)
    }

    #[test]
    fn what_is_for_one_domain_makes_nothing_milder_for_its_forgers() {
        use Disposition::{Deliver, Quarantine, Reject};
        for (code, overrides, is_authenticated, expected) in [
            ("any", ["any@a.example=info"], true, Deliver),
            ("any", ["any@a.example=info"], false, Quarantine),
            ("any", ["any@a.example=reject"], false, Reject),
            ("any", ["any=info"], false, Deliver),
            ("dmarc_fail", ["dmarc_fail@a.example=info"], false, Deliver),
        ] {
            let finding = Finding::new(code, Severity::Quarantine, "");
            let found = weighed_for(finding, &overrides, Some("a.example"), is_authenticated);
            assert_eq!(found, expected, "{overrides:?} {is_authenticated}");
        }
    }

    #[test]
    fn a_receiver_may_weigh_a_finding_otherwise() {
        use Disposition::{Defer, Deliver, Quarantine, Reject};
        for (overrides, author_domain, expected) in [
            (&[][..], Some("a.example"), Quarantine),
            (&["any=reject"], Some("a.example"), Reject),
            (&["any=reject"], None, Reject),
            (&["any=review"], Some("a.example"), Deliver),
            (&["any=defer"], Some("a.example"), Defer),
            (&["any@a.example=info"], Some("a.example"), Deliver),
            (&["any@a.example=info"], Some("sub.a.example"), Deliver),
            (&["any@a.example=info"], Some("nota.example"), Quarantine),
            (&["any@a.example=info"], Some("example"), Quarantine),
            (&["any@a.example=info"], None, Quarantine),
            (&["any@sub.a.example=reject", "any@a.example=info", "any=defer"], Some("x.sub.a.example"), Reject),
            (&["any=info", "any=reject"], None, Reject),
        ] {
            assert_eq!(weighed(overrides, author_domain), expected, "{overrides:?} {author_domain:?}");
        }
    }

    #[test]
    fn a_finding_that_was_weighed_otherwise_says_so() {
        let mut findings = [Finding::new("any", Severity::Quarantine, "It is odd.")];
        let overrides = Overrides::parse(&["any=info".to_owned()], |_| true).expect("an override");
        overrides.apply(&mut findings, None, true);
        assert_eq!(findings[0].detail, "It is odd. This receiver weighs it as info.");
    }

    #[test]
    fn an_override_that_would_do_nothing_is_refused() {
        for (text, expected) in [
            ("any", OverrideError::Malformed("any".to_owned())),
            ("any@=info", OverrideError::Malformed("any@=info".to_owned())),
            ("amy=info", OverrideError::UnknownCode("amy".to_owned())),
            ("any=deliver", OverrideError::UnknownWeight("deliver".to_owned())),
            ("deadline_exceeded=review", OverrideError::Unseen("deadline_exceeded=review".to_owned())),
            ("any=", OverrideError::UnknownWeight(String::new())),
        ] {
            assert_eq!(Overrides::parse(&[text.to_owned()], |code| code != "amy"), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn more_findings_never_make_a_disposition_milder(
            weights in proptest::collection::vec((0_usize..4, any::<bool>()), 0..6), more in (0_usize..4, any::<bool>()),
        ) {
            let severities = [Severity::Info, Severity::Review, Severity::Quarantine, Severity::Reject];
            let of = |(severity, defers): (usize, bool)| Finding { defers, ..finding(severities[severity]) };
            let few: Vec<Finding> = weights.into_iter().map(of).collect();
            let many: Vec<Finding> = few.iter().cloned().chain([of(more)]).collect();
            prop_assert!(Disposition::of(&few) <= Disposition::of(&many));
        }
    }
}
