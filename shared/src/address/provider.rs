//! What mailbox providers ignore in a local-part.

use super::Mailbox;

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
}
