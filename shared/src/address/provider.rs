//! What mailbox providers ignore in a local-part.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::Mailbox;

/// What a provider ignores when it delivers, by its own documentation. Every one of these delivers `name+tag` to `name`.
struct Delivery {
    /// A domain, or the first label of many (`hotmail.`).
    names: &'static str,
    /// The domain that they all are other names of; `None` when each is its own.
    same_as: Option<&'static str>,
    dots: Dots,
}

#[derive(PartialEq, Eq)]
enum Dots {
    Ignored,
    Kept,
}

const DELIVERIES: [Delivery; 24] = [
    one("gmail.com", Some("gmail.com"), Dots::Ignored),
    one("googlemail.com", Some("gmail.com"), Dots::Ignored),
    one("outlook.", None, Dots::Kept),
    one("hotmail.", None, Dots::Kept),
    one("live.", None, Dots::Kept),
    one("msn.com", None, Dots::Kept),
    one("icloud.com", Some("icloud.com"), Dots::Kept),
    one("me.com", Some("icloud.com"), Dots::Kept),
    one("mac.com", Some("icloud.com"), Dots::Kept),
    one("proton.me", Some("proton.me"), Dots::Kept),
    one("protonmail.com", Some("proton.me"), Dots::Kept),
    one("pm.me", Some("proton.me"), Dots::Kept),
    one("yandex.ru", Some("yandex.ru"), Dots::Kept),
    one("yandex.com", Some("yandex.ru"), Dots::Kept),
    one("yandex.by", Some("yandex.ru"), Dots::Kept),
    one("yandex.kz", Some("yandex.ru"), Dots::Kept),
    one("yandex.ua", Some("yandex.ru"), Dots::Kept),
    one("ya.ru", Some("yandex.ru"), Dots::Kept),
    one("fastmail.com", None, Dots::Kept),
    one("fastmail.fm", None, Dots::Kept),
    one("mailbox.org", None, Dots::Kept),
    one("posteo.de", None, Dots::Kept),
    one("zoho.com", None, Dots::Kept),
    one("hey.com", None, Dots::Kept),
];

const fn one(names: &'static str, same_as: Option<&'static str>, dots: Dots) -> Delivery {
    Delivery { names, same_as, dots }
}

impl Delivery {
    /// A first label counts only under an end that looks like a country's or `com`: `live.example.org` is somebody else's.
    fn is_of(&self, domain: &str) -> bool {
        match domain.strip_prefix(self.names) {
            Some("") => true,
            Some(end) => {
                self.names.ends_with('.') && (end.len() <= 3 || matches!(end.split_once('.'), Some(("co" | "com", _))))
            }
            None => false,
        }
    }
}

/// See [`Mailbox::canonical`].
pub(super) fn canonical(mailbox: &Mailbox) -> String {
    let name = folded(mailbox.local_part.content());
    let domain = mailbox.domain.as_str();
    let Some(delivery) = DELIVERIES.iter().find(|delivery| delivery.is_of(domain)) else {
        return name + "@" + domain;
    };
    let untagged = name.split('+').next().unwrap_or_default();
    let kept = match delivery.dots {
        Dots::Ignored => untagged.replace('.', ""),
        Dots::Kept => untagged.to_owned(),
    };
    // A local-part that is nothing but a tag has no name to compare by.
    let key = if kept.is_empty() { name } else { kept };
    key + "@" + delivery.same_as.unwrap_or(domain)
}

/// In lower case, and composed again: some letters have no lower case in one piece.
pub(super) fn folded(name: &str) -> String {
    let lower = name.to_lowercase();
    if lower.is_ascii() { lower } else { ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned() }
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
            ("J\u{30c}@example.com", "\u{1f0}@example.com"),
            ("ann+news@hotmail.de", "ann@hotmail.de"),
            ("ann+news@outlook.co.th", "ann@outlook.co.th"),
            ("ann+news@live.stadium.example", "ann+news@live.stadium.example"),
            ("ann+news@pm.me", "ann@proton.me"),
            ("ann@ya.ru", "ann@yandex.ru"),
        ] {
            assert_eq!(Mailbox::parse(text).map(|mailbox| mailbox.canonical()).as_deref(), Ok(expected), "{text}");
        }
    }
}
