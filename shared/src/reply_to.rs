//! Whom replies go to: the mailboxes of Reply-To (RFC 5322 §3.6.2).

use crate::{
    address::Domain,
    author::{Author, MAX_FROM_OCTETS},
    display_name::shown_domains,
};

/// The domain of every mailbox of a Reply-To value, each once, in order. Of a mailbox that cannot be parsed, those of all that
/// looks like an address in it. Linear.
#[must_use]
pub fn domains(value: &[u8]) -> Vec<Domain> {
    let value = String::from_utf8_lossy(value.get(..MAX_FROM_OCTETS).unwrap_or(value));
    let mut domains: Vec<Domain> = Vec::new();
    for mailbox in mailboxes(&value) {
        let names = match Author::parse(mailbox.as_bytes()) {
            Ok(author) => vec![author.domain],
            Err(_) => shown_domains(mailbox),
        };
        for domain in names.iter().filter_map(|name| Domain::parse(name).ok()) {
            if domains.len() < MAX_DOMAINS && !domains.contains(&domain) {
                domains.push(domain);
            }
        }
    }
    domains
}

/// Domains of one field that are compared. Nobody answers so many people, and the first ones are those that a reader sees.
const MAX_DOMAINS: usize = 100;

/// The value, cut at the commas and semicolons that separate mailboxes and at the colons of groups.
fn mailboxes(value: &str) -> impl Iterator<Item = &str> {
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
            ("Ann <ann@a.example>", &["a.example"][..]),
            ("ann@a.example, Bob <bob@b.example>", &["a.example", "b.example"]),
            ("\"Lee, Ann\" <ann@a.example>; bob@b.example", &["a.example", "b.example"]),
            ("Team: ann@a.example, bob@b.example;", &["a.example", "b.example"]),
            ("ann@a.example (for Bob, too), ann@A.example", &["a.example"]),
            ("\"a\\\", b\" <ann@a.example>", &["a.example"]),
            ("<ann@a.example> <bob@b.example>", &["a.example", "b.example"]),
            ("nobody", &[]),
            ("", &[]),
        ] {
            let found = domains(value.as_bytes());
            assert_eq!(found.iter().map(Domain::as_str).collect::<Vec<_>>(), expected, "{value}");
        }
    }
}
