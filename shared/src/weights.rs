//! How much reasons weigh for a team that disagrees with us: each `CODE=SEVERITY`, or `CODE@FLOW=SEVERITY` for one flow.

use crate::flow::Flow;
use crate::reason::{Reason, ReasonCode, Severity, Subject};

/// In the order in which they were written: the last one that fits counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights(Vec<Weight>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weight {
    code: ReasonCode,
    /// `None` for every flow.
    flow: Option<Flow>,
    severity: Severity,
}

/// Why a text is no weight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    #[error("{0:?} is not CODE=SEVERITY or CODE@FLOW=SEVERITY")]
    Malformed(String),
    #[error("there is no reason {0:?}")]
    UnknownCode(String),
    #[error("there is no flow {0:?}")]
    UnknownFlow(String),
    #[error("{0:?} is neither info, review nor reject")]
    UnknownSeverity(String),
    #[error("{0:?}: what is no address stays refused, white space around one apart")]
    Syntax(String),
    #[error("{0:?}: an unanswered question to DNS says nothing about an address")]
    Unanswered(String),
}

impl Weights {
    /// # Errors
    /// The first text that is no weight.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, WeightError> {
        texts.into_iter().map(|text| Weight::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// These weights, and where they say nothing, `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self(others.0.iter().chain(&self.0).copied().collect())
    }

    /// What a reason weighs in a flow.
    ///
    /// Unless a team says otherwise, a disposable address opens no account, and is still the one to which an existing
    /// account's link has to go.
    #[must_use]
    pub fn severity(&self, reason: &Reason, flow: Flow) -> Severity {
        let fits = |weight: &&Weight| weight.code == reason.code && weight.flow.is_none_or(|named| named == flow);
        match self.0.iter().rev().find(fits) {
            Some(weight) => weight.severity,
            None if reason.code == ReasonCode::DisposableDomain && flow.has_account() => Severity::Review,
            None => reason.severity,
        }
    }
}

impl Weight {
    fn parse(text: &str) -> Result<Self, WeightError> {
        let (about, severity) = text.split_once('=').ok_or_else(|| WeightError::Malformed(text.to_owned()))?;
        let (code, flow) = about.split_once('@').map_or((about, None), |(code, flow)| (code, Some(flow)));
        let code = ReasonCode::parse(code).ok_or_else(|| WeightError::UnknownCode(code.to_owned()))?;
        let flow =
            flow.map(|flow| Flow::parse(flow).ok_or_else(|| WeightError::UnknownFlow(flow.to_owned()))).transpose()?;
        let severity = Severity::parse(severity).ok_or_else(|| WeightError::UnknownSeverity(severity.to_owned()))?;
        Self { code, flow, severity }.checked(text)
    }

    fn checked(self, text: &str) -> Result<Self, WeightError> {
        let is_milder = self.severity < self.code.severity();
        if self.code.subject() == Subject::Syntax && is_milder {
            return Err(WeightError::Syntax(text.to_owned()));
        }
        let is_unanswered = matches!(self.code, ReasonCode::DnsTemperror | ReasonCode::DnsNotChecked);
        if is_unanswered && self.severity == Severity::Reject {
            return Err(WeightError::Unanswered(text.to_owned()));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(weights: &[&str], code: ReasonCode, flow: Flow) -> Severity {
        Weights::parse(weights).expect("weights of this test").severity(&code.into(), flow)
    }

    #[test]
    fn the_last_weight_that_fits_counts() {
        let (disposable, role) = (ReasonCode::DisposableDomain, ReasonCode::RoleAccount);
        for (weights, code, flow, expected) in [
            (vec![], disposable, Flow::Signup, Severity::Reject),
            (vec![], disposable, Flow::Login, Severity::Review),
            (vec!["disposable_domain=info"], disposable, Flow::Login, Severity::Info),
            (vec!["disposable_domain@login=reject"], disposable, Flow::Login, Severity::Reject),
            (vec!["disposable_domain@login=reject"], disposable, Flow::PasswordReset, Severity::Review),
            (vec!["role_account=reject"], role, Flow::Newsletter, Severity::Reject),
            (vec!["role_account=reject", "role_account@signup=review"], role, Flow::Signup, Severity::Review),
            (vec!["role_account@signup=review", "role_account=reject"], role, Flow::Signup, Severity::Reject),
        ] {
            assert_eq!(severity(&weights, code, flow), expected, "{weights:?} {flow:?}");
        }
    }

    #[test]
    fn a_team_speaks_over_the_defaults() {
        let [team, all] =
            [["role_account=reject"], ["role_account=info"]].map(|text| Weights::parse(text).expect("weights"));
        assert_eq!(team.or(&all).severity(&ReasonCode::RoleAccount.into(), Flow::Signup), Severity::Reject);
        assert_eq!(all.or(&team).severity(&ReasonCode::RoleAccount.into(), Flow::Signup), Severity::Info);
    }

    #[test]
    fn a_weight_that_cannot_be_is_refused_by_name() {
        for (text, expected) in [
            ("role_account", WeightError::Malformed("role_account".to_owned())),
            ("roll_account=info", WeightError::UnknownCode("roll_account".to_owned())),
            ("role_account@sign-up=info", WeightError::UnknownFlow("sign-up".to_owned())),
            ("role_account=block", WeightError::UnknownSeverity("block".to_owned())),
            ("missing_at_sign=info", WeightError::Syntax("missing_at_sign=info".to_owned())),
            ("dns_temperror=reject", WeightError::Unanswered("dns_temperror=reject".to_owned())),
        ] {
            assert_eq!(Weights::parse([text]), Err(expected), "{text}");
        }
    }
}
