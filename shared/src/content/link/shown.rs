//! What the text of a link makes readers believe about where it leads.

use super::{Place, Target, links_of_text};
use crate::content::mime::is_invisible;

/// A host that a link shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Lower case, A-labels.
    pub(super) host: String,
    /// How much like an address it looks.
    pub(super) looks: Looks,
    /// Characters that nobody sees stand in it.
    pub(super) has_invisible: bool,
}

/// A text that looks like an address promises where the link leads; a name such as `Example.com` may just be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Looks {
    LikeName,
    LikeAddress,
}

/// Characters of a text around an address in which the address is what the reader goes by.
const SENTENCE: usize = 120;

/// Longer texts are sentences in which an address may occur.
const MOST_CHARACTERS: usize = 200;

/// Ends of file names that are top-level domains too.
const FILE_ENDS: [&str; 16] =
    ["md", "rs", "py", "pl", "sh", "zip", "mov", "ps", "cc", "so", "tf", "ai", "app", "java", "id", "net"];

/// The host that a text shows: all of the text is an address or a host, or a short text has one address in it.
pub(super) fn shown(text: &str) -> Option<Shown> {
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let has_invisible = text.trim().contains(is_invisible);
    let shown = by_word(&visible).or_else(|| by_sentence(&visible));
    shown.map(|(host, looks)| Shown { host, looks, has_invisible })
}

/// `Visit https://www.example.com/login now`
fn by_sentence(text: &str) -> Option<(String, Looks)> {
    let is_short = text.trim().chars().take(SENTENCE + 1).count() <= SENTENCE;
    let links = if is_short { links_of_text(text, Place::Text) } else { Vec::new() };
    let [link] = links.as_slice() else { return None };
    let host = host_of(&link.target).filter(|host| has_name(host))?;
    Some((host, Looks::LikeAddress))
}

fn has_name(host: &str) -> bool {
    let is_known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
    host.contains('.') && (is_known || is_reserved(host))
}

fn by_word(visible: &str) -> Option<(String, Looks)> {
    let word = visible.trim().trim_matches(['<', '>', '(', ')', '[', ']', '"', '\'', '\u{ab}', '\u{bb}']).trim();
    if word.is_empty() || MOST_CHARACTERS < word.len() || word.contains(char::is_whitespace) || word.contains('@') {
        return None;
    }
    let (host, looks) = match links_of_text(word, Place::Text).into_iter().next() {
        Some(link) => (host_of(&link.target)?, Looks::LikeAddress),
        None => bare_host(word)?,
    };
    has_name(&host).then_some((host, looks))
}

fn host_of(target: &str) -> Option<String> {
    match Target::parse(target) {
        Target::Web(address) => Some(address.host()),
        Target::Other { .. } | Target::Share | Target::Nowhere => None,
    }
}

/// `example.com` or `example.com/path`
fn bare_host(word: &str) -> Option<(String, Looks)> {
    let end = word.find(['/', '?', '#', ':']).unwrap_or(word.len());
    let (host, rest) = word.split_at(end);
    let top = host.rsplit('.').next().unwrap_or_default().to_lowercase();
    let is_host = host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    let is_file = rest.is_empty() && FILE_ENDS.contains(&top.as_str());
    if !is_host || is_file || !top.contains(char::is_alphabetic) {
        return None;
    }
    let looks = if rest.starts_with('/') { Looks::LikeAddress } else { Looks::LikeName };
    host_of(&format!("http://{host}")).map(|host| (host, looks))
}

/// Top-level domains of RFC 2606 and RFC 6761: no list of suffixes has them.
pub(super) fn is_reserved(host: &str) -> bool {
    let top = host.rsplit('.').next().unwrap_or_default();
    let names = [
        "example",
        "test",
        "invalid",
        "localhost",
        "local",
        "localdomain",
        "lan",
        "home",
        "corp",
        "internal",
        "intranet",
        "arpa",
        "onion",
    ];
    names.contains(&top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_an_address_shows_its_host() {
        use Looks::{LikeAddress, LikeName};
        for (text, expected) in [
            ("https://www.a.example/login", Some(("www.a.example", LikeAddress))),
            (" <http://A.example> ", Some(("a.example", LikeAddress))),
            ("www.a.example", Some(("www.a.example", LikeAddress))),
            ("a.com/login", Some(("a.com", LikeAddress))),
            ("Shop.com", Some(("shop.com", LikeName))),
            ("pay\u{200b}pal.com", Some(("paypal.com", LikeName))),
            ("b\u{fc}cher.de", Some(("xn--bcher-kva.de", LikeName))),
            ("click here", None),
            ("ann@a.example", None),
            ("README.md", None),
            ("report.pdf", None),
            ("ASP.NET", None),
            ("see https://a.example for more", Some(("a.example", LikeAddress))),
            ("see https://a.example and https://b.example", None),
            ("mail ann@a.example about it", None),
            ("e.g", None),
            ("3.14", None),
            ("", None),
        ] {
            let found = shown(text);
            assert_eq!(found.as_ref().map(|shown| (shown.host.as_str(), shown.looks)), expected, "{text}");
        }
    }
}
