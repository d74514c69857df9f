//! Domains that hand out throw-away mailboxes.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::Domain;

/// One lower-case A-label domain a line, `#` starts a comment.
static DISPOSABLE: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("../../data/disposable.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
});

/// Whether the domain or one of its parents is listed: providers hand out sub-domains too.
#[must_use]
pub fn is_disposable(domain: &Domain) -> bool {
    domain.ancestors().any(|name| DISPOSABLE.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_domain_takes_its_sub_domains_with_it() {
        for (text, expected) in [
            ("mailinator.com", true),
            ("sub.mailinator.com", true),
            ("tempomailusa.com", true),
            ("notmailinator.com", false),
            ("gmail.com", false),
            ("duck.com", false),
        ] {
            assert_eq!(Domain::parse(text).as_ref().map(is_disposable), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_a_domain_in_its_stored_form() {
        for name in DISPOSABLE.iter() {
            assert_eq!(Domain::parse(name).as_ref().map(Domain::as_str), Ok(*name));
        }
    }
}
