//! What the text of a link makes readers believe about where it leads.

use super::{MAX_SHOWN_CHARACTERS, Place, Target, links_of_text};
use crate::{content::mime::is_invisible, display_name::is_dot};

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

/// Characters of a text around an address in which the address is what the reader goes by. In longer ones it may just be mentioned.
const SENTENCE: usize = 120;

/// Addresses of one text that are compared.
const MOST_PROMISES: usize = 5;

/// Ends of file names that are top-level domains too.
pub(super) const FILE_ENDS: [&str; 16] =
    ["md", "rs", "py", "pl", "sh", "zip", "mov", "ps", "cc", "so", "tf", "ai", "app", "java", "id", "net"];

/// The hosts that a text shows, in its order: all of the text is an address or a host, or addresses stand in it.
pub(super) fn shown(text: &str) -> Vec<Shown> {
    let visible = visible(text);
    let has_invisible = text.trim().contains(is_invisible);
    let found = by_word(&visible).map_or_else(|| by_sentence(&visible), |found| vec![found]);
    found.into_iter().map(|(host, looks)| Shown { host, looks, has_invisible }).collect()
}

/// As a reader takes it: one space between words, dots and slashes for what looks like them. What was cut off may have lost the end
/// of its last word.
fn visible(text: &str) -> String {
    let is_cut = MAX_SHOWN_CHARACTERS <= text.chars().count();
    let plain = |c: char| match c {
        c if is_dot(c) => '.',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{ff0f}' => '/',
        '\u{ff1a}' | '\u{a789}' | '\u{2236}' => ':',
        other => other,
    };
    let text: String = text.chars().filter(|c| !is_invisible(*c)).map(plain).collect();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if is_cut && 1 < words.len() {
        words.pop();
    }
    words.join(" ")
}

/// `Visit https://www.example.com/login now`
fn by_sentence(text: &str) -> Vec<(String, Looks)> {
    let is_short = text.chars().take(SENTENCE + 1).count() <= SENTENCE;
    let looks = if is_short { Looks::LikeAddress } else { Looks::LikeName };
    let links = links_of_text(text, Place::Text);
    let hosts = links.iter().filter_map(|link| host_of(&link.target)).filter(|host| has_name(host));
    hosts.take(MOST_PROMISES).map(|host| (host, looks)).collect()
}

/// Whether a name is one of the public network, or one that stands for such in examples.
pub(super) fn has_name(host: &str) -> bool {
    let is_known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
    host.contains('.') && (is_known || is_reserved(host))
}

fn by_word(visible: &str) -> Option<(String, Looks)> {
    let word = visible.trim().trim_matches(['<', '>', '(', ')', '[', ']', '"', '\'', '\u{ab}', '\u{bb}']).trim();
    if word.is_empty() || word.contains(char::is_whitespace) || word.contains('@') {
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
        let long_address = format!("https://www.a.example/login?session={}", "0".repeat(250));
        let long_text = format!("{} https://www.a.example/login", "so ".repeat(50));
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
            ("see https://a.example and https://b.example", Some(("a.example", LikeAddress))),
            ("www\u{2024}a\u{2024}example\u{2215}login", Some(("www.a.example", LikeAddress))),
            ("Log in at\u{a0}a.com/login now", Some(("a.com", LikeAddress))),
            (&long_address, Some(("www.a.example", LikeAddress))),
            (&long_text, Some(("www.a.example", LikeName))),
            ("mail ann@a.example about it", None),
            ("e.g", None),
            ("3.14", None),
            ("", None),
        ] {
            let found = shown(text);
            assert_eq!(found.first().map(|shown| (shown.host.as_str(), shown.looks)), expected, "{text}");
        }
    }
}
