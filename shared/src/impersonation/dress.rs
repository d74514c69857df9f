//! Domains that wear the name of others: in front of their own, or as a part of it.

use super::brand::{Brand, Brands, registered};
use crate::{address::Domain, look_alike::shape};

/// Letters from which on a name is found at the edge of a longer word: `paypallogin`.
const LEAST_GLUED: usize = 6;

/// Parts of a label that are looked at. Honest names have few.
const MOST_PARTS: usize = 16;

/// What a domain promises with a name beside: that a reader is to log in there, or to pay.
const BAIT: [&str; 56] = [
    "2fa",
    "acceso",
    "access",
    "account",
    "accounts",
    "activate",
    "activation",
    "alert",
    "alerts",
    "auth",
    "authenticate",
    "authorize",
    "bank",
    "banking",
    "billing",
    "cancel",
    "claim",
    "compte",
    "confirm",
    "confirmation",
    "connexion",
    "cuenta",
    "id",
    "identity",
    "invoice",
    "konto",
    "limited",
    "locked",
    "log",
    "login",
    "logon",
    "mfa",
    "passwort",
    "password",
    "payment",
    "recover",
    "recovery",
    "refund",
    "renew",
    "reset",
    "resolution",
    "restore",
    "reward",
    "safety",
    "secure",
    "secured",
    "security",
    "sign",
    "signin",
    "signon",
    "sso",
    "suspended",
    "unlock",
    "validate",
    "verification",
    "verify",
];

/// How a domain wears a name that is not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worn {
    /// As a label in front of its own.
    Label,
    /// As a part of the registered label, with a hyphen.
    Part,
    /// With a word that asks to log in or to pay.
    Bait,
    /// Spelt in characters that pass for its letters.
    Disguised,
    /// With its end: who reads from the left believes to be at home.
    Whole,
}

/// The name that a domain wears, and how; the most misleading one. Linear in labels times names.
pub(super) fn worn<'b>(host: &Domain, brands: &'b Brands) -> Option<(Worn, &'b Brand)> {
    let own = registered(host.as_str());
    let parts = Parts::of(host, own);
    let is_foreign = |brand: &&Brand| !brand.owns(host);
    if parts.is_plain() || !brands.all.iter().all(|brand| is_foreign(&brand)) {
        return None;
    }
    let worn = brands.all.iter().filter_map(|brand| Some((worn_of(host.as_str(), own, &parts, brand)?, brand)));
    worn.max_by_key(|(worn, _)| *worn)
}

fn worn_of(host: &str, own: &str, parts: &Parts, brand: &Brand) -> Option<Worn> {
    if is_whole(host, own, brand) {
        return Some(Worn::Whole);
    }
    if !brand.is_long() {
        return None;
    }
    let found = parts.labels.iter().filter_map(|label| label.worn(brand, &parts.registered));
    found.max()
}

/// A name, taken apart at dots and hyphens.
struct Parts {
    labels: Vec<Label>,
    /// Parts of the label that somebody registered.
    registered: Vec<String>,
}

struct Label {
    /// As they stand, and what each reads like.
    parts: Vec<(String, String)>,
    is_registered: bool,
}

impl Parts {
    fn of(host: &Domain, own: &str) -> Self {
        let unicode = host.unicode();
        let before = host.labels().count().saturating_sub(own.split('.').count());
        let labels = unicode.split('.').take(before + 1).enumerate().map(|(at, label)| {
            let parts = label.split('-').filter(|part| !part.is_empty()).take(MOST_PARTS);
            let parts = parts.map(|part| (part.to_owned(), shape(part))).collect();
            Label { parts, is_registered: at == before }
        });
        let labels: Vec<Label> = labels.collect();
        let registered = labels.last().into_iter().flat_map(|label| label.parts.iter().map(|(part, _)| part.clone()));
        Self { registered: registered.collect(), labels }
    }

    /// Nothing in it but short words.
    fn is_plain(&self) -> bool {
        self.labels.iter().flat_map(|label| &label.parts).all(|(part, _)| part.chars().count() < 3)
    }
}

impl Label {
    fn worn(&self, brand: &Brand, registered: &[String]) -> Option<Worn> {
        let is_disguised = |(part, shape): &(String, String)| *shape == brand.shape && *part != brand.label;
        if 1 < self.parts.len() && self.parts.iter().any(is_disguised) {
            return Some(Worn::Disguised);
        }
        if self.parts.iter().any(|(part, _)| is_glued_to_bait(part, brand)) {
            return Some(Worn::Bait);
        }
        if !self.parts.iter().any(|(part, _)| *part == brand.label) {
            return None;
        }
        let is_bait = |part: &str| BAIT.contains(&part);
        if self.parts.iter().any(|(part, _)| is_bait(part)) || registered.iter().any(|part| is_bait(part)) {
            return Some(Worn::Bait);
        }
        Some(if self.is_registered { Worn::Part } else { Worn::Label })
    }
}

fn is_glued_to_bait(part: &str, brand: &Brand) -> bool {
    let is_long = LEAST_GLUED <= brand.label.len();
    let rests = [part.strip_prefix(&brand.label), part.strip_suffix(&brand.label)];
    is_long && rests.into_iter().flatten().any(|rest| BAIT.contains(&rest))
}

/// `paypal.com.elsewhere.example`, `paypal.com-login.example`, `paypal-com.example`
fn is_whole(host: &str, own: &str, brand: &Brand) -> bool {
    let front = host.len() - own.len();
    let mut places = host.match_indices(brand.label.as_str()).filter(|(at, _)| is_edge(host, *at));
    places.any(|(at, label)| {
        let rest = host.get(at + label.len()..).unwrap_or_default();
        brand.ends().any(|end| {
            let dotted = rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(end));
            let dashed = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(&end.replace('.', "-")));
            // Behind a dot its end has to stand in front of what is registered, or to be a part of it by a hyphen.
            let is_dotted = at < front && dotted.is_some_and(|rest| rest.starts_with(['.', '-']));
            is_dotted || dashed.is_some_and(|rest| rest.starts_with(['.', '-']))
        })
    })
}

fn is_edge(host: &str, at: usize) -> bool {
    host.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_domain_wears_is_seen() {
        use Worn::{Bait, Disguised, Label, Part, Whole};
        let protected = ["paypal.com", "fabrikam.example", "ing.nl"].map(|name| Domain::parse(name).expect("a domain"));
        let brands = Brands::new(&protected);
        for (host, expected) in [
            ("paypal.com.elsewhere.example", Some((Whole, "paypal"))),
            ("www.paypal.com-signin.example", Some((Whole, "paypal"))),
            ("paypal-com.example", Some((Whole, "paypal"))),
            ("fabrikam-example.org", Some((Whole, "fabrikam"))),
            ("my.ing.nl.elsewhere.example", Some((Whole, "ing"))),
            ("www.netflix.com.account-verify.example", Some((Whole, "netflix"))),
            ("paypa1-help.example", Some((Disguised, "paypal"))),
            ("secure-paypal-login.example", Some((Bait, "paypal"))),
            ("login.paypal.account-verify.example", Some((Bait, "paypal"))),
            ("paypallogin.example", Some((Bait, "paypal"))),
            ("chase-verify.example", Some((Bait, "chase"))),
            ("amazon-tips.example", Some((Part, "amazon"))),
            ("amazon.elsewhere.example", Some((Label, "amazon"))),
            ("www.paypal.com", None),
            ("paypal.de", None),
            ("paypal.co.uk", None),
            ("paypal-community.com", None),
            ("amazon.com.au", None),
            ("amazonas-reisen.example", None),
            ("ing.elsewhere.example", None),
            ("login.contoso.example", None),
            ("example", None),
        ] {
            let host = Domain::parse(host).expect("a domain");
            let found = worn(&host, &brands).map(|(worn, brand)| (worn, brand.label.as_str()));
            assert_eq!(found, expected, "{host}");
        }
    }
}
