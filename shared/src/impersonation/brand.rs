//! Names that others pretend to be, and which domains are their owners'.

use std::{collections::HashMap, sync::LazyLock};

use crate::{
    address::Domain,
    look_alike::{WELL_KNOWN, shape},
    spf::is_at_or_under,
};

/// Which domains belong to well-known names without saying so, and which are services that put customers' names first.
const LIST: &str = include_str!("../../data/brand-domains.txt");

/// Shorter names are words of many languages.
const LEAST_BRAND: usize = 5;

/// Words of several languages, family names, and programs that many run under a name of their own: they claim nothing by
/// themselves unless the receiver protects them.
const ORDINARY: [&str; 20] = [
    "apple",
    "chase",
    "slack",
    "stripe",
    "oracle",
    "discord",
    "fidelity",
    "telegram",
    "schwab",
    "intuit",
    "gitlab",
    "github",
    "mailchimp",
    "sendgrid",
    "twilio",
    "atlassian",
    "shopify",
    "salesforce",
    "santander",
    "cloudflare",
];

static DOMAINS: LazyLock<Domains> = LazyLock::new(Domains::read);

/// The list, taken apart.
struct Domains {
    owners: HashMap<&'static str, Vec<&'static str>>,
    rented: Vec<&'static str>,
}

impl Domains {
    fn read() -> Self {
        let mut domains = Self { owners: HashMap::new(), rented: Vec::new() };
        for line in LIST.lines() {
            let mut words = line.split(' ');
            match words.next() {
                Some("owned") => {
                    let owner = words.next().unwrap_or_default();
                    words.for_each(|domain| domains.owners.entry(domain).or_default().push(owner));
                }
                Some("rented") => domains.rented.extend(words),
                _ => {}
            }
        }
        domains
    }
}

/// A name that others pretend to be.
#[derive(Debug, Clone)]
pub(super) struct Brand {
    /// The label that it is known by, as A-label.
    pub(super) label: String,
    /// What that reads like.
    pub(super) shape: String,
    /// Set if the receiver protects it.
    pub(super) domain: Option<Domain>,
}

impl Brand {
    fn protected(domain: &Domain) -> Self {
        let label = name_of(domain).to_owned();
        let (unicode, _) = idna::domain_to_unicode(&label);
        Self { shape: shape(&unicode), label, domain: Some(domain.clone()) }
    }

    fn well_known(label: &str) -> Self {
        Self { label: label.to_owned(), shape: shape(label), domain: None }
    }

    pub(super) fn is_long(&self) -> bool {
        LEAST_BRAND <= self.shape.chars().count()
    }

    /// Its name alone is no claim.
    pub(super) fn is_ordinary(&self) -> bool {
        self.domain.is_none() && ORDINARY.contains(&self.label.as_str())
    }

    /// The registered name says who owns a domain; a label in front of it says nothing.
    pub(super) fn owns(&self, domain: &Domain) -> bool {
        first_label(registered(domain.as_str())) == self.label || self.is_known_to_own(domain)
    }

    fn is_known_to_own(&self, domain: &Domain) -> bool {
        let owners = DOMAINS.owners.get(registered(domain.as_str()));
        let is_own = self.domain.as_ref().is_some_and(|own| is_at_or_under(domain.as_str(), own.as_str()));
        is_own || owners.is_some_and(|owners| owners.contains(&self.label.as_str()))
    }

    /// Under an end where its owner is: those of countries, and the old ones.
    pub(super) fn is_at_home(&self, domain: &Domain) -> bool {
        let top = domain.top_level();
        top.len() == 2 || ["com", "net", "org"].contains(&top) || self.is_known_to_own(domain)
    }

    /// Ends of the whole name that readers know.
    pub(super) fn ends(&self) -> impl Iterator<Item = &str> {
        let usual: &[&str] = if self.is_long() { &["com", "net", "org", "co.uk", "de", "fr", "io", "eu"] } else { &[] };
        let own = self.domain.as_ref().and_then(|own| registered(own.as_str()).split_once('.'));
        usual.iter().copied().chain(own.map(|(_, end)| end))
    }
}

/// All names that are compared.
#[derive(Debug, Clone)]
pub(super) struct Brands {
    pub(super) all: Vec<Brand>,
    by_shape: HashMap<String, usize>,
}

impl Brands {
    pub(super) fn new(protected: &[Domain]) -> Self {
        let own = protected.iter().map(Brand::protected);
        let is_new = |name: &&str| !protected.iter().any(|own| *name == name_of(own));
        let known = WELL_KNOWN.into_iter().filter(is_new).map(Brand::well_known);
        let all: Vec<Brand> = own.chain(known).collect();
        let by_shape = all.iter().enumerate().rev().filter(|(_, brand)| brand.is_long());
        Self { by_shape: by_shape.map(|(at, brand)| (brand.shape.clone(), at)).collect(), all }
    }

    pub(super) fn of_shape(&self, shape: &str) -> Option<&Brand> {
        self.by_shape.get(shape).and_then(|at| self.all.get(*at))
    }

    pub(super) fn protected(&self) -> impl Iterator<Item = &Brand> {
        self.all.iter().filter(|brand| brand.domain.is_some())
    }

    pub(super) fn long(&self) -> impl Iterator<Item = &Brand> {
        self.all.iter().filter(|brand| brand.is_long())
    }
}

/// What somebody registered with a registry. Names that a provider gives away under its own are the provider's here: whoever
/// takes one proves nothing by it.
pub(super) fn registered(name: &str) -> &str {
    let parents = std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent));
    let mut child = name;
    for ancestor in parents {
        let suffix = psl::suffix(ancestor.as_bytes());
        if suffix.is_some_and(|s| s.as_bytes() == ancestor.as_bytes() && s.typ() != Some(psl::Type::Private)) {
            return child;
        }
        child = ancestor;
    }
    child
}

/// The label that a domain is known by.
fn name_of(domain: &Domain) -> &str {
    first_label(registered(domain.as_str()))
}

pub(super) fn first_label(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// A service that puts the names of its customers in front of its own.
pub(super) fn is_rented(host: &str) -> bool {
    DOMAINS.rented.iter().any(|domain| is_at_or_under(host, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_understood() {
        for line in LIST.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let names = match words.as_slice() {
                ["owned", owner, names @ ..] if WELL_KNOWN.contains(owner) => names,
                ["rented", names @ ..] => names,
                _ => panic!("{line}"),
            };
            assert!(!names.is_empty() && names.iter().all(|name| Domain::parse(name).is_ok()), "{line}");
        }
    }

    #[test]
    fn only_what_is_registered_says_who_owns_a_domain() {
        let brands = Brands::new(&[Domain::parse("mail.contoso.co.uk").expect("a domain")]);
        let owners = |domain: &str| {
            let domain = Domain::parse(domain).expect("a domain");
            let owners = brands.all.iter().filter(|brand| brand.owns(&domain));
            owners.map(|brand| brand.label.as_str()).collect::<Vec<_>>()
        };
        for (domain, expected) in [
            ("www.amazon.co.jp", &["amazon"][..]),
            ("email.amazonaws.com", &["amazon"]),
            ("contoso.co.uk", &["contoso"]),
            ("a.mail.contoso.co.uk", &["contoso"]),
            ("amazon.elsewhere.example", &[]),
            ("amazon.com.elsewhere.example", &[]),
            ("amazon.github.io", &["github"]),
            ("amazon-help.example", &[]),
        ] {
            assert_eq!(owners(domain), expected, "{domain}");
        }
    }
}
