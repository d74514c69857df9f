//! What the text of a link promises, against where the link leads.

use super::{Case, Judgement};
use crate::{
    content::link::{
        services::{Service, service},
        shown::{Looks, Shown, shown as shown_by},
        target::Address,
    },
    finding::Severity,
    look_alike::is_well_known,
};

/// Characters of a path and query in which a tracker can tell a link from another.
const LEAST_TOKEN: usize = 12;

impl Case<'_> {
    /// What the reader sees against where the link leads.
    pub(super) fn shown(&self, address: &Address, into: &mut Judgement) {
        let promises = shown_by(&self.link.shown);
        let Some(shown) = promises.first() else { return };
        let keeps = |shown: &Shown| is_same_owner(&registrable(&shown.host), &registrable(&address.host()));
        let broken = if promises.iter().any(keeps) { None } else { self.mismatch(shown, address) };
        if shown.has_invisible {
            // Programs break long addresses at soft hyphens; where the link keeps its promise, they hide nothing.
            let severity = if broken.is_some() { Severity::Review } else { Severity::Info };
            let detail = format!("The text of the link, {}, has characters that nobody sees.", shown.host);
            self.add("link_hidden_characters", severity, detail, into);
        }
        let Some(severity) = broken else { return };
        let detail = format!("The link shows {} but leads to {}.", shown.host, address.host());
        self.add("link_display_mismatch", severity, detail, into);
    }

    /// Honest senders count clicks: their links lead to a counting service, or to a page of their own with a token in its
    /// address, which leads on. A link that leads to a plain page of somebody else leads nowhere but there.
    fn mismatch(&self, shown: &Shown, address: &Address) -> Option<Severity> {
        let (promised, actual) = (registrable(&shown.host), registrable(&address.host()));
        let is_counted = matches!(service(address), Some(Service::Tracker | Service::Rewriter));
        if is_same_owner(&promised, &actual) || is_counted {
            return None;
        }
        let is_named = address.names(|inner| registrable(&inner.host()) == promised);
        if is_named || shown.looks == Looks::LikeName {
            return Some(Severity::Review);
        }
        let leads_on = has_token(address) || matches!(service(address), Some(Service::Shortener { .. }));
        let is_of_author = self.linked.author_domain.as_deref().is_some_and(|author| registrable(author) == actual);
        let is_bait = is_well_known(promised.split('.').next().unwrap_or_default()) && !is_of_author;
        Some(if leads_on && !is_bait { Severity::Review } else { Severity::Quarantine })
    }
}

/// The name that somebody registered, or the whole name where nobody can.
fn registrable(host: &str) -> String {
    psl::domain_str(host).unwrap_or(host).to_owned()
}

/// The same name, also under another end: `shop.example.de` and `example.com`.
fn is_same_owner(one: &str, other: &str) -> bool {
    let label = |domain: &str| domain.split('.').next().unwrap_or_default().to_owned();
    one == other || label(one) == label(other)
}

/// Something in path or query that tells this link from others: letters and digits that are no words.
fn has_token(address: &Address) -> bool {
    let query = address.url.query().unwrap_or_default();
    let mut words = address.url.path().split(['/', '.', ';']).chain(query.split(['&', '=', ';']));
    words.any(|word| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let capitals = word.bytes().filter(u8::is_ascii_uppercase).count();
        let small = word.bytes().filter(u8::is_ascii_lowercase).count();
        let is_mixed = (0 < digits && 0 < capitals + small) || (1 < capitals && 1 < small);
        LEAST_TOKEN <= word.len() && (is_mixed || LEAST_TOKEN <= digits)
    })
}
