//! What SPF and DKIM authenticated (RFC 9989 §4.4.1, §4.4.2).

use super::record::{Alignment, Record};
use crate::{authentication::DkimResult, spf::SpfResult};

/// Signatures beyond these are not looked at: those that pass come first, then those whose key DNS did not give.
pub const MAX_DKIM_IDENTIFIERS: usize = 10;

/// What SPF or DKIM has authenticated, or would have if DNS had answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identifier<'m> {
    pub(super) domain: &'m str,
    method: Method,
    pub(super) certainty: Certainty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Spf,
    Dkim,
}

/// What passed comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    Passed,
    TempError,
}

/// In the order in which they are tried: what passed first, and of that first what is aligned without a question.
pub(super) fn identifiers<'m>(
    author_domain: &str,
    spf: Option<(SpfResult, &'m str)>,
    dkim: &[(DkimResult, &'m str)],
) -> Vec<Identifier<'m>> {
    let spf = spf.and_then(|(result, domain)| Identifier::of_spf(result, domain));
    let mut identifiers: Vec<_> =
        dkim.iter().filter_map(|(result, domain)| Identifier::of_dkim(*result, domain)).collect();
    let rank = |identifier: &Identifier<'_>| (identifier.certainty, identifier.domain != author_domain);
    identifiers.sort_by_key(rank);
    identifiers.truncate(MAX_DKIM_IDENTIFIERS);
    identifiers.extend(spf);
    identifiers.sort_by_key(rank);
    identifiers
}

impl<'m> Identifier<'m> {
    pub(super) fn alignment(self, record: Record) -> Alignment {
        match self.method {
            Method::Spf => record.spf_alignment,
            Method::Dkim => record.dkim_alignment,
        }
    }

    /// `None` for what cannot make the message pass, whatever DNS may say later.
    fn of_spf(result: SpfResult, domain: &'m str) -> Option<Self> {
        let certainty = match result {
            SpfResult::Pass => Certainty::Passed,
            SpfResult::TempError => Certainty::TempError,
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None | SpfResult::PermError => {
                return None;
            }
        };
        Some(Self { domain, method: Method::Spf, certainty })
    }

    fn of_dkim(result: DkimResult, domain: &'m str) -> Option<Self> {
        let certainty = match result {
            DkimResult::Pass => Certainty::Passed,
            DkimResult::TempError => Certainty::TempError,
            DkimResult::Fail | DkimResult::None | DkimResult::Neutral | DkimResult::PermError => return None,
        };
        Some(Self { domain, method: Method::Dkim, certainty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passed_or_could_have_passed_is_an_identifier() {
        let certainty = |identifier: Identifier<'_>| identifier.certainty;
        for (result, expected) in [
            (SpfResult::Pass, Some(Certainty::Passed)),
            (SpfResult::TempError, Some(Certainty::TempError)),
            (SpfResult::Fail, None),
            (SpfResult::SoftFail, None),
            (SpfResult::Neutral, None),
            (SpfResult::None, None),
            (SpfResult::PermError, None),
        ] {
            assert_eq!(Identifier::of_spf(result, "x.example").map(certainty), expected, "{result:?}");
        }
        for (result, expected) in [
            (DkimResult::Pass, Some(Certainty::Passed)),
            (DkimResult::TempError, Some(Certainty::TempError)),
            (DkimResult::Fail, None),
            (DkimResult::None, None),
            (DkimResult::Neutral, None),
            (DkimResult::PermError, None),
        ] {
            assert_eq!(Identifier::of_dkim(result, "x.example").map(certainty), expected, "{result:?}");
        }
    }

    #[test]
    fn identifiers_come_in_the_order_of_what_they_can_prove() {
        let dkim = [
            (DkimResult::TempError, "x.example"),
            (DkimResult::Fail, "f.example"),
            (DkimResult::Pass, "a.example"),
            (DkimResult::Pass, "x.example"),
        ];
        let found = identifiers("x.example", Some((SpfResult::Pass, "s.example")), &dkim);
        let domains: Vec<_> = found.iter().map(|identifier| (identifier.certainty, identifier.domain)).collect();
        assert_eq!(
            domains,
            [
                (Certainty::Passed, "x.example"),
                (Certainty::Passed, "a.example"),
                (Certainty::Passed, "s.example"),
                (Certainty::TempError, "x.example"),
            ]
        );
    }
}
