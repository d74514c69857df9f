//! Whom replies go to: the mailboxes of Reply-To (RFC 5322 §3.6.2).

use crate::{
    address::Domain,
    author::{Author, MAX_FROM_OCTETS},
    display_name::shown_domains,
    encoded_word,
};

/// A mailbox that replies go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    /// What a reader sees of it, if it has a name.
    pub display_name: Option<String>,
    pub domain: Domain,
}

/// Every mailbox of a Reply-To value, each once, in order. Of a mailbox that cannot be parsed, the domains of all that looks like
/// an address in it. Linear.
#[must_use]
pub fn mailboxes(value: &[u8]) -> Vec<ReplyTo> {
    let value = String::from_utf8_lossy(value.get(..MAX_FROM_OCTETS).unwrap_or(value));
    let mut found: Vec<ReplyTo> = Vec::new();
    for (display_name, name) in cut(&value).flat_map(read) {
        let Ok(domain) = Domain::parse(&name) else { continue };
        let mailbox = ReplyTo { display_name, domain };
        if found.len() < MAX_MAILBOXES && !found.contains(&mailbox) {
            found.push(mailbox);
        }
    }
    found
}

fn read(mailbox: &str) -> Vec<(Option<String>, String)> {
    if let Ok(author) = Author::parse(mailbox.as_bytes()) {
        return vec![(author.display_name, author.domain)];
    }
    // `boss@corp.example <ann@elsewhere.example>`, without the quotes that it needs.
    let named = mailbox.rsplit_once('<').filter(|(name, _)| !name.contains('<'));
    let display_name = named.map(|(name, _)| encoded_word::decoded(name.trim()));
    let (address, others) = named.map_or((mailbox, ""), |(name, address)| (address, name));
    let of_address = shown_domains(address).into_iter().map(|domain| (display_name.clone(), domain));
    of_address.chain(shown_domains(others).into_iter().map(|domain| (None, domain))).collect()
}

/// Mailboxes of one field that are compared. Nobody answers so many people, and the first ones are those that a reader sees.
const MAX_MAILBOXES: usize = 100;

/// The value, cut at the commas and semicolons that separate mailboxes and at the colons of groups.
fn cut(value: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped, mut comments) = (false, false, 0_usize);
    value.split(move |character: char| {
        let was_escaped = is_escaped;
        is_escaped = character == '\\' && !was_escaped;
        match character {
            _ if was_escaped => {}
            '"' if comments == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => comments += 1,
            ')' if !is_quoted => comments = comments.saturating_sub(1),
            ',' | ';' | ':' => return !is_quoted && comments == 0,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mailbox_that_replies_go_to_counts() {
        for (value, expected) in [
            ("Ann <ann@a.example>", &["Ann a.example"][..]),
            ("ann@a.example, Bob <bob@b.example>", &["a.example", "Bob b.example"]),
            ("\"Lee, Ann\" <ann@a.example>; bob@b.example", &["Lee, Ann a.example", "b.example"]),
            ("=?utf-8?q?A=C3=A9?= <ann@a.example>", &["A\u{e9} a.example"]),
            ("boss@b.example <ann@a.example>", &["boss@b.example a.example", "b.example"]),
            ("Team: ann@a.example, bob@b.example;", &["a.example", "b.example"]),
            ("ann@a.example (for Bob, too), ann@A.example", &["for Bob, too a.example", "a.example"]),
            ("\"a\\\", b\" <ann@a.example>", &["a\", b a.example"]),
            ("<ann@a.example> <bob@b.example>", &["a.example", "b.example"]),
            ("nobody", &[]),
            ("", &[]),
        ] {
            let found = mailboxes(value.as_bytes());
            let told = |mailbox: &ReplyTo| {
                let name = mailbox.display_name.as_deref().unwrap_or_default();
                format!("{name} {}", mailbox.domain).trim_start().to_owned()
            };
            assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected, "{value}");
        }
    }
}
