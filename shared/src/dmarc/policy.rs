//! What a domain owner asks for when a message does not pass (RFC 9989 §4.7).

use crate::authentication::DmarcPolicy;

/// The policies of one record, each as it applies once the defaults are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assessment {
    /// For the domain of the record: `p`.
    pub own: DmarcPolicy,
    /// For its subdomains that exist: `sp`, or `p`.
    pub subdomains: DmarcPolicy,
    /// For its subdomains that do not exist: `np`, or `sp`, or `p`.
    pub nonexistent: DmarcPolicy,
    /// Tag `t`.
    pub mode: Mode,
}

/// Tag `t` (RFC 9989 §4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `t=n`, the default.
    Applied,
    /// `t=y`: what applies is one level below what is stated.
    Test,
}

/// How the author domain stands to the domain whose record applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Own,
    Subdomain,
    Nonexistent,
}

impl Assessment {
    /// The same policy for all.
    pub(super) fn uniform(policy: DmarcPolicy, mode: Mode) -> Self {
        Self { own: policy, subdomains: policy, nonexistent: policy, mode }
    }

    /// Whether it matters if a subdomain exists.
    pub(super) fn depends_on_existence(self) -> bool {
        self.subdomains != self.nonexistent
    }

    pub(super) fn applied_to(self, standing: Standing) -> DmarcPolicy {
        let stated = match standing {
            Standing::Own => self.own,
            Standing::Subdomain => self.subdomains,
            Standing::Nonexistent => self.nonexistent,
        };
        match self.mode {
            Mode::Applied => stated,
            Mode::Test => one_level_below(stated),
        }
    }
}

fn one_level_below(policy: DmarcPolicy) -> DmarcPolicy {
    match policy {
        DmarcPolicy::Reject => DmarcPolicy::Quarantine,
        DmarcPolicy::Quarantine | DmarcPolicy::None => DmarcPolicy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_standing_has_its_policy_and_test_mode_lowers_it_by_one_level() {
        use DmarcPolicy::{None, Quarantine, Reject};
        let stated = Assessment { own: Reject, subdomains: Quarantine, nonexistent: None, mode: Mode::Applied };
        let tested = Assessment { mode: Mode::Test, ..stated };
        for (standing, applied, in_test_mode) in [
            (Standing::Own, Reject, Quarantine),
            (Standing::Subdomain, Quarantine, None),
            (Standing::Nonexistent, None, None),
        ] {
            assert_eq!(stated.applied_to(standing), applied, "{standing:?}");
            assert_eq!(tested.applied_to(standing), in_test_mode, "{standing:?}");
        }
    }

    #[test]
    fn existence_matters_only_when_the_policies_differ() {
        let uniform = Assessment::uniform(DmarcPolicy::Reject, Mode::Applied);
        for (nonexistent, expected) in [(DmarcPolicy::Reject, false), (DmarcPolicy::None, true)] {
            assert_eq!(Assessment { nonexistent, ..uniform }.depends_on_existence(), expected, "{nonexistent:?}");
        }
    }
}
