//! What teams say about single domains, over the lists: let in, or kept out, for all clients or for one.

use std::collections::HashMap;

use crate::address::Domain;

/// More entries are not kept in memory; a team with more needs a list of its own.
pub const MAX_ENTRIES: usize = 10_000;

/// The client of an entry that is for all.
pub const EVERYONE: &str = "*";

/// What is said about a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// What lists and similarity say against it does not count; what DNS and the address itself say does.
    Allow,
    /// It does not enter, in no flow.
    Deny,
}

impl Opinion {
    /// The word of the table and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// `None` for a word that is no opinion.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny].into_iter().find(|opinion| opinion.as_str() == word)
    }
}

/// Every opinion, by client and domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay(HashMap<String, HashMap<String, Opinion>>);

impl Overlay {
    /// Adds one; beyond [`MAX_ENTRIES`] it is left out, which the answer tells.
    pub fn add(&mut self, client: &str, domain: &Domain, opinion: Opinion) -> bool {
        let is_full = MAX_ENTRIES <= self.len();
        if !is_full {
            self.0.entry(client.to_owned()).or_default().insert(domain.to_string(), opinion);
        }
        !is_full
    }

    /// A client's own opinion comes before the one for everyone, and that about the nearest parent before others.
    #[must_use]
    pub fn opinion(&self, client: &str, domain: &Domain) -> Option<Opinion> {
        let of = |client| self.0.get(client).and_then(|of| domain.ancestors().find_map(|name| of.get(name))).copied();
        of(client).or_else(|| of(EVERYONE))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().map(HashMap::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_itself_and_the_nearest_name_decide() {
        let mut overlay = Overlay::default();
        for (client, name, opinion) in [
            (EVERYONE, "example.com", Opinion::Deny),
            (EVERYONE, "good.example.com", Opinion::Allow),
            ("shop", "example.com", Opinion::Allow),
        ] {
            assert!(overlay.add(client, &Domain::parse(name).expect(name), opinion));
        }
        for (client, name, expected) in [
            ("bank", "example.com", Some(Opinion::Deny)),
            ("bank", "mail.example.com", Some(Opinion::Deny)),
            ("bank", "mail.good.example.com", Some(Opinion::Allow)),
            ("shop", "mail.example.com", Some(Opinion::Allow)),
            ("bank", "example.org", None),
            ("bank", "notexample.com", None),
        ] {
            assert_eq!(overlay.opinion(client, &Domain::parse(name).expect(name)), expected, "{client} {name}");
        }
    }

    #[test]
    fn entries_are_bounded_and_the_one_too_many_is_told() {
        let mut overlay = Overlay::default();
        let domain = |n| Domain::parse(&format!("d{n}.example")).expect("a domain");
        assert!((0..MAX_ENTRIES).all(|n| overlay.add(EVERYONE, &domain(n), Opinion::Deny)));
        assert!(!overlay.add(EVERYONE, &domain(MAX_ENTRIES), Opinion::Deny));
        assert_eq!(overlay.len(), MAX_ENTRIES);
    }
}
