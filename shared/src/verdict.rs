//! The verdict on an address: a pure function of its text, its mail hosts and the flow that asks.

use crate::address::Domain;
use crate::address::{Examination, Mailbox, ProviderKind, is_disposable, is_role, provider_kind, suggest_domain};
use crate::mail_hosts::MailHosts;
use crate::reason::{Reason, ReasonCode, Severity};

/// What the caller is about to do with the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flow {
    /// A new account.
    Signup,
    /// A reset link for an account that exists.
    PasswordReset,
    /// A login code for an account that exists.
    Login,
    /// A subscription.
    Newsletter,
    /// Anything else.
    #[default]
    Other,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Self; 5] = [Self::Signup, Self::PasswordReset, Self::Login, Self::Newsletter, Self::Other];

    /// Reads the word of the wire format; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.as_str() == text)
    }

    /// The word of the wire format and the first part of a series name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::PasswordReset => "password_reset",
            Self::Login => "login",
            Self::Newsletter => "newsletter",
            Self::Other => "other",
        }
    }

    /// Whether the address belongs to an account already, whose owner must not be locked out by a newer list.
    #[must_use]
    pub const fn has_account(self) -> bool {
        matches!(self, Self::PasswordReset | Self::Login)
    }
}

/// What is to be done with an address. Ordered: the later, the stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Nothing speaks against it.
    Accept,
    /// Worth another step before it is relied on.
    Review,
    /// Not to be used.
    Reject,
}

impl Decision {
    /// The word of the wire format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Review => "review",
            Self::Reject => "reject",
        }
    }
}

/// Facts about an address that a client may decide by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of the wire format")]
pub struct Flags {
    /// The text as sent is a `Mailbox` of RFC 5321 §4.1.2 as extended by RFC 6531 §3.3.
    pub syntax_valid: bool,
    /// The text tries to be more than an address.
    pub injection: bool,
    /// A message to it needs the SMTPUTF8 extension (RFC 6531 §3.2).
    pub requires_smtputf8: bool,
    /// The domain, or its mail host, hands out throw-away mailboxes.
    pub disposable: bool,
    /// The domain forwards to a lasting mailbox elsewhere.
    pub alias: bool,
    /// The local-part names a function.
    pub role: bool,
    /// Anyone can open a mailbox at the domain.
    pub free: bool,
    /// The domain looks like another one.
    pub homograph: bool,
    /// The top-level domain is reserved for special use (RFC 6761).
    pub special_use: bool,
}

/// The answer to "may this flow use this address?".
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// From 0 (nothing speaks against it) to 1 (a reason to reject).
    pub risk: f64,
    /// Strictest first; reasons of one severity in the order in which they were found.
    pub reasons: Vec<Reason>,
    /// The address that was probably meant, normalized.
    pub suggestion: Option<String>,
    /// Facts beside the decision.
    pub flags: Flags,
}

impl Verdict {
    /// Judges without clock or network, so that a test can state every case.
    ///
    /// One reason of severity reject rejects; reasons to review never add up to a rejection, and an unanswered
    /// DNS question is a reason to review.
    #[must_use]
    pub fn new(examination: &Examination, mail_hosts: &MailHosts, flow: Flow) -> Self {
        let mailbox = examination.mailbox.as_ref();
        let meant = mailbox.and_then(|mailbox| suggest_domain(&mailbox.domain));
        let mut reasons = examination.findings.clone();
        if let Some(mailbox) = mailbox {
            reasons.extend(judge_mailbox(mailbox, meant.as_ref()));
            reasons.extend(judge_mail_hosts(mail_hosts));
        }
        for reason in &mut reasons {
            reason.severity = severity_in(flow, reason);
        }
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        let suggestion = mailbox.zip(meant).map(|(mailbox, domain)| format!("{}@{domain}", mailbox.local_part));
        Self {
            decision: decide(&reasons),
            risk: risk(&reasons),
            flags: flags(examination, &reasons),
            suggestion,
            reasons,
        }
    }
}

fn decide(reasons: &[Reason]) -> Decision {
    match reasons.iter().map(|reason| reason.severity).max() {
        None | Some(Severity::Info) => Decision::Accept,
        Some(Severity::Review) => Decision::Review,
        Some(Severity::Reject) => Decision::Reject,
    }
}

/// Reasons count as independent, so that two doubts weigh more than one and never as much as a rejection.
fn risk(reasons: &[Reason]) -> f64 {
    let harmless = reasons.iter().map(|reason| 1.0 - weight(reason)).product::<f64>();
    // Two decimals: more would claim a precision that nobody measured.
    ((1.0 - harmless) * 100.0).round() / 100.0
}

const fn weight(reason: &Reason) -> f64 {
    match (reason.severity, reason.code) {
        (Severity::Reject, _) => 1.0,
        (Severity::Review, ReasonCode::DnsTemperror) => 0.2,
        (Severity::Review, _) => 0.4,
        (Severity::Info, ReasonCode::RoleAccount | ReasonCode::AliasDomain | ReasonCode::ImplicitMx) => 0.05,
        (Severity::Info, _) => 0.0,
    }
}

/// A disposable address may open no account, and still is the one to which an existing account's link must go.
const fn severity_in(flow: Flow, reason: &Reason) -> Severity {
    match reason.code {
        ReasonCode::DisposableDomain if flow.has_account() => Severity::Review,
        _ => reason.severity,
    }
}

fn judge_mailbox(mailbox: &Mailbox, meant: Option<&Domain>) -> Vec<Reason> {
    let domain = &mailbox.domain;
    let mut reasons = Vec::new();
    // A misspelling comes before the lists: those hold `gmial.com`.
    if let Some(meant) = meant {
        reasons.push(Reason::new(ReasonCode::LikelyTypo, format!("The domain is probably a misspelling of {meant}.")));
    } else if is_disposable(domain) {
        reasons.push(ReasonCode::DisposableDomain.into());
    }
    if provider_kind(domain) == Some(ProviderKind::Alias) {
        reasons.push(ReasonCode::AliasDomain.into());
    }
    if is_role(&mailbox.local_part) {
        reasons.push(ReasonCode::RoleAccount.into());
    }
    reasons
}

fn judge_mail_hosts(mail_hosts: &MailHosts) -> Vec<Reason> {
    let answer = match mail_hosts {
        MailHosts::Mx(_) => None,
        MailHosts::Implicit(_) => Some(ReasonCode::ImplicitMx),
        MailHosts::NullMx => Some(ReasonCode::NullMx),
        MailHosts::NoMailHost => Some(ReasonCode::NoMailHost),
        MailHosts::NxDomain => Some(ReasonCode::NxDomain),
        MailHosts::TempError => Some(ReasonCode::DnsTemperror),
        MailHosts::NotChecked => Some(ReasonCode::DnsNotChecked),
    };
    let not_public = mail_hosts.only_private().then_some(ReasonCode::MxNotPublic);
    let disposable = mail_hosts.hosts().iter().any(|host| Domain::parse(&host.name).as_ref().is_ok_and(is_disposable));
    let codes = [answer, not_public, disposable.then_some(ReasonCode::DisposableMailHost)];
    codes.into_iter().flatten().map(Reason::from).collect()
}

fn flags(examination: &Examination, reasons: &[Reason]) -> Flags {
    let has = |code| reasons.iter().any(|reason| reason.code == code);
    let kind = examination.mailbox.as_ref().and_then(|mailbox| provider_kind(&mailbox.domain));
    Flags {
        syntax_valid: examination.syntax_valid(),
        injection: examination.injection(),
        requires_smtputf8: examination.requires_smtputf8(),
        disposable: has(ReasonCode::DisposableDomain) || has(ReasonCode::DisposableMailHost),
        alias: has(ReasonCode::AliasDomain),
        role: has(ReasonCode::RoleAccount),
        free: kind == Some(ProviderKind::Free),
        homograph: examination.homograph(),
        special_use: examination.special_use(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::examine;
    use crate::mail_hosts::MailHost;

    fn mx(name: &str, address: &str) -> MailHosts {
        let addresses = vec![address.parse().expect("a literal of this test")];
        MailHosts::Mx(vec![MailHost { name: name.to_owned(), preference: 10, addresses }])
    }

    fn judge(text: &str, mail_hosts: &MailHosts, flow: Flow) -> (&'static str, Vec<&'static str>) {
        let verdict = Verdict::new(&examine(text), mail_hosts, flow);
        (verdict.decision.as_str(), verdict.reasons.iter().map(|reason| reason.code.as_str()).collect())
    }

    #[test]
    fn the_strictest_reason_decides_and_stands_first() {
        let public = mx("mx.example.com", "192.0.2.25");
        for (text, mail_hosts, decision, reasons) in [
            ("ann@example.com", &public, "accept", vec![]),
            ("info@example.com", &public, "accept", vec!["role_account"]),
            ("ann@duck.com", &public, "accept", vec!["alias_domain"]),
            ("ann@gmial.com", &public, "review", vec!["likely_typo"]),
            ("info@mailinator.com", &public, "reject", vec!["disposable_domain", "role_account"]),
            ("\"info\"@gmial.com", &public, "reject", vec!["quoted_local_part", "likely_typo", "role_account"]),
            ("ann@example.com", &mx("mx.1secmail.com", "192.0.2.25"), "review", vec!["disposable_mail_host"]),
            ("ann@example.com", &mx("mx.example.com", "127.0.0.1"), "review", vec!["mx_not_public"]),
            ("ann@example.com", &MailHosts::NullMx, "reject", vec!["null_mx"]),
            ("ann@example.com", &MailHosts::NxDomain, "reject", vec!["nxdomain"]),
            ("ann@example.com", &MailHosts::NoMailHost, "reject", vec!["no_mail_host"]),
            ("ann@example.com", &MailHosts::TempError, "review", vec!["dns_temperror"]),
            ("ann@example.com", &MailHosts::NotChecked, "accept", vec!["dns_not_checked"]),
            ("ann", &MailHosts::NotChecked, "reject", vec!["missing_at_sign"]),
        ] {
            assert_eq!(judge(text, mail_hosts, Flow::Signup), (decision, reasons), "{text} {mail_hosts:?}");
        }
    }

    #[test]
    fn a_disposable_address_opens_no_account_but_locks_nobody_out() {
        let public = mx("mx.example.com", "192.0.2.25");
        for (flow, expected) in [
            (Flow::Signup, "reject"),
            (Flow::Newsletter, "reject"),
            (Flow::Other, "reject"),
            (Flow::PasswordReset, "review"),
            (Flow::Login, "review"),
        ] {
            assert_eq!(judge("ann@mailinator.com", &public, flow).0, expected, "{flow:?}");
        }
    }

    #[test]
    fn doubts_add_up_and_never_reach_a_rejection() {
        let not_public = mx("mx.1secmail.com", "10.0.0.1");
        for (text, mail_hosts, expected) in [
            ("ann@example.com", &mx("mx.example.com", "192.0.2.25"), 0.0),
            ("info@example.com", &mx("mx.example.com", "192.0.2.25"), 0.05),
            ("ann@example.com", &MailHosts::TempError, 0.2),
            ("ann@gmial.com", &not_public, 0.78),
            ("ann@example.com", &MailHosts::NxDomain, 1.0),
        ] {
            let verdict = Verdict::new(&examine(text), mail_hosts, Flow::Signup);
            assert!((verdict.risk - expected).abs() < 1e-9, "{text}: {}", verdict.risk);
        }
    }

    #[test]
    fn a_suggestion_keeps_the_local_part() {
        let verdict = Verdict::new(&examine("Ann@GMIAL.com"), &MailHosts::NotChecked, Flow::Signup);
        assert_eq!(verdict.suggestion.as_deref(), Some("Ann@gmail.com"));
    }

    #[test]
    fn flags_state_facts_beside_the_decision() {
        let clean = Flags { syntax_valid: true, ..Flags::default() };
        for (text, expected) in [
            ("ann@example.com", clean),
            ("ann@gmail.com", Flags { free: true, ..clean }),
            ("ann@duck.com", Flags { alias: true, ..clean }),
            ("info@example.com", Flags { role: true, ..clean }),
            ("änne@example.com", Flags { requires_smtputf8: true, ..clean }),
            ("ann@mailinator.com", Flags { disposable: true, ..clean }),
            ("ann@pаypal.com", Flags { homograph: true, ..clean }),
            ("ann@mail.test", Flags { special_use: true, ..clean }),
            ("ann@example.com\n", Flags { injection: true, ..Flags::default() }),
        ] {
            assert_eq!(Verdict::new(&examine(text), &MailHosts::NotChecked, Flow::Signup).flags, expected, "{text:?}");
        }
    }

    #[test]
    fn flows_are_read_by_their_wire_names_only() {
        for (text, expected) in [
            ("signup", Some(Flow::Signup)),
            ("password_reset", Some(Flow::PasswordReset)),
            ("login", Some(Flow::Login)),
            ("newsletter", Some(Flow::Newsletter)),
            ("other", Some(Flow::Other)),
            ("Signup", None),
            ("", None),
        ] {
            assert_eq!(Flow::parse(text), expected, "{text}");
        }
    }
}
