//! What is known about mailbox providers: their kind, and what they ignore in a local-part.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Domain, Mailbox};

static KINDS: LazyLock<HashMap<&str, ProviderKind>> =
    LazyLock::new(|| include_str!("../../data/providers.txt").lines().filter_map(read_line).collect());

/// What a provider sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// Anyone can open a mailbox there.
    Free,
    /// Comes with an internet access or a subscription.
    Paid,
    /// Forwards to a lasting mailbox elsewhere, and hides it: not disposable.
    Alias,
}

/// What a provider ignores when it delivers, by its own documentation.
struct Delivery {
    domain: &'static str,
    /// The domain that it is another name of, or itself.
    same_as: &'static str,
    dots: Dots,
}

#[derive(PartialEq, Eq)]
enum Dots {
    Ignored,
    Kept,
}

/// Every one of these delivers `name+tag` to `name`.
const DELIVERIES: [Delivery; 18] = [
    Delivery { domain: "gmail.com", same_as: "gmail.com", dots: Dots::Ignored },
    Delivery { domain: "googlemail.com", same_as: "gmail.com", dots: Dots::Ignored },
    Delivery { domain: "outlook.com", same_as: "outlook.com", dots: Dots::Kept },
    Delivery { domain: "hotmail.com", same_as: "hotmail.com", dots: Dots::Kept },
    Delivery { domain: "hotmail.co.uk", same_as: "hotmail.co.uk", dots: Dots::Kept },
    Delivery { domain: "hotmail.fr", same_as: "hotmail.fr", dots: Dots::Kept },
    Delivery { domain: "live.com", same_as: "live.com", dots: Dots::Kept },
    Delivery { domain: "msn.com", same_as: "msn.com", dots: Dots::Kept },
    Delivery { domain: "icloud.com", same_as: "icloud.com", dots: Dots::Kept },
    Delivery { domain: "me.com", same_as: "me.com", dots: Dots::Kept },
    Delivery { domain: "mac.com", same_as: "mac.com", dots: Dots::Kept },
    Delivery { domain: "proton.me", same_as: "proton.me", dots: Dots::Kept },
    Delivery { domain: "protonmail.com", same_as: "protonmail.com", dots: Dots::Kept },
    Delivery { domain: "pm.me", same_as: "pm.me", dots: Dots::Kept },
    Delivery { domain: "fastmail.com", same_as: "fastmail.com", dots: Dots::Kept },
    Delivery { domain: "fastmail.fm", same_as: "fastmail.fm", dots: Dots::Kept },
    Delivery { domain: "mailbox.org", same_as: "mailbox.org", dots: Dots::Kept },
    Delivery { domain: "posteo.de", same_as: "posteo.de", dots: Dots::Kept },
];

/// The kind of a provider; forwarding services are known by their sub-domains too, which they hand out.
#[must_use]
pub fn provider_kind(domain: &Domain) -> Option<ProviderKind> {
    let exact = KINDS.get(domain.as_str()).copied();
    let is_alias = |name| KINDS.get(name) == Some(&ProviderKind::Alias);
    exact.or_else(|| domain.ancestors().any(is_alias).then_some(ProviderKind::Alias))
}

/// See [`Mailbox::canonical`].
pub(super) fn canonical(mailbox: &Mailbox) -> String {
    let name = mailbox.local_part.content().to_lowercase();
    let domain = mailbox.domain.as_str();
    let Some(delivery) = DELIVERIES.iter().find(|delivery| delivery.domain == domain) else {
        return name + "@" + domain;
    };
    let untagged = name.split('+').next().unwrap_or_default();
    let kept = match delivery.dots {
        Dots::Ignored => untagged.replace('.', ""),
        Dots::Kept => untagged.to_owned(),
    };
    // A local-part that is nothing but a tag has no name to compare by.
    let key = if kept.is_empty() { name } else { kept };
    key + "@" + delivery.same_as
}

fn read_line(line: &'static str) -> Option<(&'static str, ProviderKind)> {
    let (name, kind) = line.split_once(' ')?;
    match kind {
        "free" => Some((name, ProviderKind::Free)),
        "paid" => Some((name, ProviderKind::Paid)),
        "alias" => Some((name, ProviderKind::Alias)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_drops_only_what_the_provider_ignores() {
        for (text, expected) in [
            ("A.n.n+news@gmail.com", "ann@gmail.com"),
            ("A.n.n+news@googlemail.com", "ann@gmail.com"),
            ("A.n.n+news@outlook.com", "a.n.n@outlook.com"),
            ("A.n.n+news@example.com", "a.n.n+news@example.com"),
            ("+news@gmail.com", "+news@gmail.com"),
            ("ÄNNE@example.com", "änne@example.com"),
        ] {
            assert_eq!(Mailbox::parse(text).map(|mailbox| mailbox.canonical()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn forwarding_services_are_known_by_their_sub_domains() {
        for (text, expected) in [
            ("gmail.com", Some(ProviderKind::Free)),
            ("mail.gmail.com", None),
            ("comcast.net", Some(ProviderKind::Paid)),
            ("duck.com", Some(ProviderKind::Alias)),
            ("ann.anonaddy.com", Some(ProviderKind::Alias)),
            ("example.com", None),
        ] {
            assert_eq!(Domain::parse(text).map(|domain| provider_kind(&domain)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        let lines = include_str!("../../data/providers.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), KINDS.len());
        for name in KINDS.keys() {
            assert_eq!(Domain::parse(name).as_ref().map(Domain::as_str), Ok(*name));
        }
    }
}
