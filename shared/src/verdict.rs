//! The verdict on an address: a pure function of its text, of what DNS and lists know about its domain, and of who asks.

use crate::address::{Domain, Examination, Mailbox, is_role, suggest_domain};
use crate::domain_list::{Class, DomainList, Listing, MIN_SOURCES_OF_HOST};
use crate::flow::Flow;
use crate::look_alike::LookAlikes;
use crate::mail_hosts::{Hosts, MailHosts};
use crate::overlay::{Opinion, Overlay};
use crate::reason::{Reason, ReasonCode, Severity};
use crate::weights::Weights;

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
    /// Every decision, the mildest first.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Review, Self::Reject];

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

/// Who asks, and what is known to an instance: everything that is not of the address.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub flow: Flow,
    /// The client, as the overlay names it.
    pub client: &'a str,
    pub weights: &'a Weights,
    pub list: &'a DomainList,
    pub overlay: &'a Overlay,
    pub look_alikes: &'a LookAlikes,
}

impl Context<'_> {
    /// Whether the text alone is enough to reject, so that nobody needs to ask DNS.
    #[must_use]
    pub fn refuses(&self, examination: &Examination) -> bool {
        examination.findings.iter().any(|reason| self.weights.severity(reason, self.flow) == Severity::Reject)
    }
}

impl Verdict {
    /// Judges without clock or network, so that a test can state every case.
    ///
    /// One reason of severity reject rejects; reasons to review never add up to a rejection, and an unanswered
    /// DNS question is a reason to review.
    #[must_use]
    pub fn new(examination: &Examination, hosts: &Hosts, context: &Context<'_>) -> Self {
        let mut reasons = examination.findings.clone();
        let known = examination.mailbox.as_ref().map(|mailbox| Known::of(mailbox, context));
        if let Some(known) = &known {
            // Who was let in has been looked at: what its name looks like is no news.
            reasons.retain(|reason| reason.code != ReasonCode::HomographDomain || !known.is_let_in());
            reasons.extend(known.reasons());
            reasons.extend(judge_hosts(hosts, known, context.list));
        }
        for reason in &mut reasons {
            reason.severity = context.weights.severity(reason, context.flow);
        }
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        Self {
            decision: decide(&reasons),
            risk: risk(&reasons),
            flags: flags(examination, known.as_ref(), &reasons),
            suggestion: known.and_then(|known| known.suggestion()),
            reasons,
        }
    }
}

/// What lists and comparison know about a mailbox.
struct Known<'a> {
    mailbox: &'a Mailbox,
    opinion: Option<Opinion>,
    listing: Option<Listing>,
    meant: Option<Domain>,
    imitated: Option<&'a str>,
    is_under_top_level: bool,
}

impl<'a> Known<'a> {
    /// A name that a team has let in, or that is known as a mailbox provider, is nobody's misspelling or look-alike.
    fn of(mailbox: &'a Mailbox, context: &Context<'a>) -> Self {
        let domain = &mailbox.domain;
        let found = context.list.find(domain);
        let listing = found.listing;
        let opinion = context.overlay.opinion(context.client, domain);
        let is_itself = opinion == Some(Opinion::Allow) || listing.is_some_and(|listing| listing.class.is_lasting());
        let meant = if is_itself { None } else { suggest_domain(domain, found, context.list) };
        let imitated = if is_itself || meant.is_some() { None } else { context.look_alikes.imitated(domain) };
        Self { mailbox, opinion, listing, meant, imitated, is_under_top_level: found.is_under_top_level }
    }

    fn reasons(&self) -> impl Iterator<Item = Reason> {
        let role = is_role(&self.mailbox.local_part).then(|| ReasonCode::RoleAccount.into());
        [self.of_opinion(), self.of_listing(), self.of_comparison(), self.of_top_level(), role].into_iter().flatten()
    }

    fn of_opinion(&self) -> Option<Reason> {
        self.opinion.map(|opinion| match opinion {
            Opinion::Allow => ReasonCode::AllowedDomain.into(),
            Opinion::Deny => ReasonCode::DeniedDomain.into(),
        })
    }

    fn of_listing(&self) -> Option<Reason> {
        let listing = self.listing?;
        match listing.class {
            Class::Alias => Some(ReasonCode::AliasDomain.into()),
            Class::Disposable if !self.is_let_in() => Some(disposable(listing)),
            Class::TypoSquat if !self.is_let_in() && self.meant.is_none() => Some(disposable(listing)),
            Class::Disposable | Class::TypoSquat | Class::TopLevel | Class::Free | Class::Paid => None,
        }
    }

    /// A misspelling comes before the lists: those hold `gmial.com`.
    fn of_comparison(&self) -> Option<Reason> {
        let typo =
            |meant| Reason::new(ReasonCode::LikelyTypo, format!("The domain is probably a misspelling of {meant}."));
        let look_alike = |name| Reason::new(ReasonCode::LookAlikeDomain, format!("The domain reads like {name}."));
        self.meant.as_ref().map(typo).or_else(|| self.imitated.map(look_alike))
    }

    /// What is refused for its form needs no second word about its end.
    fn of_top_level(&self) -> Option<Reason> {
        let has_words = self.mailbox.domain.labels().count() > 1 && self.mailbox.domain.top_level().len() > 1;
        let is_unknown = has_words && !self.is_under_top_level && self.meant.is_none() && !self.is_let_in();
        is_unknown.then(|| ReasonCode::UnknownTopLevelDomain.into())
    }

    fn suggestion(&self) -> Option<String> {
        Some(format!("{}@{}", self.mailbox.local_part, self.meant.as_ref()?))
    }

    fn is_let_in(&self) -> bool {
        self.opinion == Some(Opinion::Allow)
    }

    fn is(&self, class: Class) -> bool {
        self.listing.is_some_and(|listing| listing.class == class)
    }
}

fn disposable(listing: Listing) -> Reason {
    let sources = if listing.sources == 1 { "1 source".to_owned() } else { format!("{} sources", listing.sources) };
    Reason::new(ReasonCode::DisposableDomain, format!("The domain hands out throw-away mailboxes, by {sources}."))
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
    let is_rejected = decide(reasons) == Decision::Reject;
    // Two decimals: more would claim a precision that nobody measured.
    let risk = ((1.0 - harmless) * 100.0).round() / 100.0;
    if is_rejected { risk } else { risk.min(0.99) }
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

fn judge_hosts(hosts: &Hosts, known: &Known<'_>, list: &DomainList) -> impl Iterator<Item = Reason> {
    let answer = match &hosts.mail {
        MailHosts::Mx(_) => None,
        MailHosts::Implicit(_) => Some(ReasonCode::ImplicitMx),
        MailHosts::NullMx => Some(ReasonCode::NullMx),
        MailHosts::NoMailHost => Some(ReasonCode::NoMailHost),
        MailHosts::NxDomain => Some(ReasonCode::NxDomain),
        MailHosts::TempError => Some(ReasonCode::DnsTemperror),
        MailHosts::NotChecked => Some(ReasonCode::DnsNotChecked),
    };
    let not_public = hosts.mail.only_private().then_some(ReasonCode::MxNotPublic);
    let partly_public = hosts.mail.partly_private().then_some(ReasonCode::MxPartlyPublic);
    let unresolvable = hosts.mail.is_unresolvable().then_some(ReasonCode::MxUnresolvable);
    let is_believed = !known.is_let_in() && !known.is(Class::Disposable);
    let disposable = (is_believed && are_disposable(hosts, list)).then_some(ReasonCode::DisposableMailHost);
    [answer, unresolvable, not_public, partly_public, disposable].into_iter().flatten().map(Reason::from)
}

/// Whether the most preferred mail host or a name server is listed, or lies under a listed name, or is where throw-away
/// providers have theirs. Hosts that come later may be there to catch who does not keep the order.
fn are_disposable(hosts: &Hosts, list: &DomainList) -> bool {
    let is_listed = |name: &str| {
        let listing = Domain::parse(name).ok().and_then(|host| list.listing(&host));
        listing.is_some_and(|of| of.class == Class::Disposable && MIN_SOURCES_OF_HOST <= of.sources)
    };
    let first = hosts.mail.hosts().first();
    first.is_some_and(|host| is_listed(&host.name) || host.is_among_disposable())
        || hosts.name_servers.iter().any(|name| is_listed(name))
}

fn flags(examination: &Examination, known: Option<&Known<'_>>, reasons: &[Reason]) -> Flags {
    let has = |code| reasons.iter().any(|reason| reason.code == code);
    let is = |class| known.is_some_and(|known| known.is(class));
    Flags {
        syntax_valid: examination.syntax_valid(),
        injection: examination.injection(),
        requires_smtputf8: examination.requires_smtputf8(),
        disposable: has(ReasonCode::DisposableDomain) || has(ReasonCode::DisposableMailHost),
        alias: is(Class::Alias),
        role: has(ReasonCode::RoleAccount),
        free: is(Class::Free),
        homograph: has(ReasonCode::HomographDomain) || has(ReasonCode::LookAlikeDomain),
        special_use: examination.special_use(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::examine;
    use crate::mail_hosts::MailHost;
    use crate::overlay::EVERYONE;

    fn mx(name: &str, address: &str) -> MailHosts {
        let addresses = Some(vec![address.parse().expect("a literal of this test")]);
        MailHosts::Mx(vec![MailHost { name: name.to_owned(), preference: 10, addresses }])
    }

    fn without_address(addresses: Option<Vec<std::net::IpAddr>>) -> MailHosts {
        MailHosts::Mx(vec![MailHost { name: "mx.example.com".to_owned(), preference: 10, addresses }])
    }

    fn verdict(text: &str, mail_hosts: &MailHosts, flow: Flow) -> Verdict {
        let overlay = overlay();
        let context = Context {
            flow,
            client: "shop",
            weights: &Weights::default(),
            list: &DomainList::embedded(),
            overlay: &overlay,
            look_alikes: &LookAlikes::new(&[]),
        };
        Verdict::new(&examine(text), &mail_hosts.clone().into(), &context)
    }

    fn overlay() -> Overlay {
        let mut overlay = Overlay::default();
        for (client, name, opinion) in [
            (EVERYONE, "denied.example", Opinion::Deny),
            (EVERYONE, "guerrillamail.com", Opinion::Allow),
            ("shop", "yaho.com", Opinion::Allow),
            ("shop", "\u{441}\u{43e}\u{441}\u{43e}.com", Opinion::Allow),
            ("shop", "corp.nosuchtld", Opinion::Allow),
        ] {
            overlay.add(client, &Domain::parse(name).expect(name), opinion);
        }
        overlay
    }

    fn judge(text: &str, mail_hosts: &MailHosts, flow: Flow) -> (&'static str, Vec<&'static str>) {
        let verdict = verdict(text, mail_hosts, flow);
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
            ("ann@example.com", &without_address(Some(Vec::new())), "review", vec!["mx_unresolvable"]),
            ("ann@example.com", &without_address(None), "accept", vec![]),
            ("ann@example.com", &MailHosts::NullMx, "reject", vec!["null_mx"]),
            ("ann@example.com", &MailHosts::NxDomain, "reject", vec!["nxdomain"]),
            ("ann@example.com", &MailHosts::NoMailHost, "reject", vec!["no_mail_host"]),
            ("ann@example.com", &MailHosts::TempError, "review", vec!["dns_temperror"]),
            ("ann@example.com", &MailHosts::NotChecked, "accept", vec!["dns_not_checked"]),
            ("ann", &MailHosts::NotChecked, "reject", vec!["missing_at_sign"]),
            ("ann@denied.example", &public, "reject", vec!["denied_domain"]),
            ("ann@guerrillamail.com", &public, "accept", vec!["allowed_domain"]),
            ("ann@guerrillamail.com", &MailHosts::NxDomain, "reject", vec!["nxdomain", "allowed_domain"]),
            ("ann@yaho.com", &public, "accept", vec!["allowed_domain"]),
            ("ann@\u{441}\u{43e}\u{441}\u{43e}.com", &public, "accept", vec!["allowed_domain"]),
            ("ann@corp.nosuchtld", &public, "accept", vec!["allowed_domain"]),
            ("ann@example.com", &mx("mx1.improvmx.com", "192.0.2.25"), "accept", vec![]),
            ("ann@example.com", &mx("mx.yandex.net", "192.0.2.25"), "accept", vec![]),
            ("ann@paypa1.com", &public, "review", vec!["look_alike_domain"]),
            ("ann@example.nosuchtld", &public, "review", vec!["unknown_top_level_domain"]),
            ("ann@example.com", &mx("mx.example.com", "198.133.159.7"), "review", vec!["disposable_mail_host"]),
        ] {
            assert_eq!(judge(text, mail_hosts, Flow::Signup), (decision, reasons), "{text} {mail_hosts:?}");
        }
    }

    #[test]
    fn a_mail_host_that_comes_later_says_nothing_about_the_domain() {
        let (MailHosts::Mx(mut hosts), MailHosts::Mx(later)) =
            (mx("mx.example.com", "192.0.2.25"), mx("mx.1secmail.com", "192.0.2.25"))
        else {
            panic!("both have MX records")
        };
        hosts.extend(later);
        assert_eq!(judge("ann@example.com", &MailHosts::Mx(hosts), Flow::Signup), ("accept", vec![]));
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
            let verdict = verdict(text, mail_hosts, Flow::Signup);
            assert!((verdict.risk - expected).abs() < 1e-9, "{text}: {}", verdict.risk);
        }
    }

    #[test]
    fn a_suggestion_keeps_the_local_part() {
        let verdict = verdict("Ann@GMIAL.com", &MailHosts::NotChecked, Flow::Signup);
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
            assert_eq!(verdict(text, &MailHosts::NotChecked, Flow::Signup).flags, expected, "{text:?}");
        }
    }
}
