//! Merges the snapshots in `sources/` into one list of domains.

use std::collections::{BTreeMap, BTreeSet};

use gatepost::{
    address::{Domain, suggest_domain},
    domain_list::{Class, DomainList, DomainListError, Listing, Reach},
};
use jiff::civil::Date;

/// Third-party lists of throw-away domains, and our own.
const DISPOSABLE: [&str; 5] = [
    include_str!("../sources/disposable-email-domains.txt"),
    include_str!("../sources/disposable-email-detector.txt"),
    include_str!("../sources/mailchecker.txt"),
    include_str!("../sources/disposable.txt"),
    include_str!("../sources/mail_hosts.txt"),
];

/// Names that the lists call disposable and that are not.
const NOT_DISPOSABLE: &str = include_str!("../sources/not_disposable.txt");

/// `name kind`: what we looked at ourselves. Comes before every list.
const PROVIDERS: &str = include_str!("../sources/providers.txt");

const FREE: &str = include_str!("../sources/free-providers.txt");

const TOP_LEVEL: &str = include_str!("../sources/top-level-domains.txt");

/// Why the sources cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("sources/providers.txt: {0:?} is not a domain and one of free, paid, alias")]
    Provider(String),
    #[error("sources/date.txt is not a date")]
    Date(#[from] jiff::Error),
    #[error(transparent)]
    List(#[from] DomainListError),
}

/// When the snapshots were taken.
///
/// # Errors
/// When `sources/date.txt` is not a date.
pub fn date() -> Result<Date, SourceError> {
    Ok(include_str!("../sources/date.txt").trim().parse()?)
}

/// The object that the program carries, made of the snapshots.
///
/// # Errors
/// When a source is malformed.
pub fn object() -> Result<Vec<u8>, SourceError> {
    Ok(DomainList::build(&names()?, date()?)?)
}

/// Every name with its entry.
///
/// # Errors
/// When a source is malformed.
pub fn names() -> Result<BTreeMap<String, Listing>, SourceError> {
    let mut names = top_level();
    names.extend(free());
    names.extend(providers()?);
    // What is a misspelling of whom depends on who is known.
    let known = DomainList::of(&names, date()?)?;
    let disposable = disposable();
    for (domain, &sources) in disposable.iter().filter(|(domain, _)| !is_covered(domain, &disposable)) {
        let class = if suggest_domain(domain, known.find(domain), &known).is_some() {
            Class::TypoSquat
        } else {
            Class::Disposable
        };
        names.entry(domain.to_string()).or_insert(Listing { class, sources, reach: reach(domain) });
    }
    Ok(names)
}

fn top_level() -> BTreeMap<String, Listing> {
    domains(TOP_LEVEL).map(|domain| (domain.to_string(), name_only(Class::TopLevel))).collect()
}

/// Free providers that no list calls disposable, and those that are called so by mistake.
fn free() -> BTreeMap<String, Listing> {
    let disposable = disposable();
    let free = domains(FREE).filter(|domain| !disposable.contains_key(domain));
    free.map(|domain| (domain.to_string(), name_only(Class::Free))).collect()
}

fn providers() -> Result<BTreeMap<String, Listing>, SourceError> {
    lines(PROVIDERS).map(|line| provider(line).ok_or_else(|| SourceError::Provider(line.to_owned()))).collect()
}

fn provider(line: &str) -> Option<(String, Listing)> {
    let (name, kind) = line.split_once(' ')?;
    let listing = match kind {
        "free" => name_only(Class::Free),
        "paid" => name_only(Class::Paid),
        "alias" => Listing { class: Class::Alias, sources: 1, reach: Reach::SubDomains },
        _ => return None,
    };
    Some((Domain::parse(name).ok()?.to_string(), listing))
}

/// How many of the lists name a domain.
fn disposable() -> BTreeMap<Domain, u8> {
    let not_disposable: BTreeSet<Domain> = domains(NOT_DISPOSABLE).collect();
    let mut sources = BTreeMap::new();
    for list in DISPOSABLE {
        let named: BTreeSet<Domain> = domains(list).filter(|domain| !not_disposable.contains(domain)).collect();
        named.into_iter().for_each(|domain| *sources.entry(domain).or_default() += 1);
    }
    sources
}

/// Whether a parent speaks for the name already.
fn is_covered(domain: &Domain, disposable: &BTreeMap<Domain, u8>) -> bool {
    let parents = domain.ancestors().skip(1).filter_map(|parent| Domain::parse(parent).ok());
    parents.into_iter().any(|parent| disposable.contains_key(&parent) && reach(&parent) == Reach::SubDomains)
}

/// Names under a public suffix belong to different people.
fn reach(domain: &Domain) -> Reach {
    let is_public_suffix = psl::suffix_str(domain.as_str()) == Some(domain.as_str());
    if is_public_suffix { Reach::NameOnly } else { Reach::SubDomains }
}

const fn name_only(class: Class) -> Listing {
    Listing { class, sources: 1, reach: Reach::NameOnly }
}

/// Lines that are no name of a domain are left out: lists of others have some.
fn domains(text: &str) -> impl Iterator<Item = Domain> {
    lines(text).filter_map(|line| Domain::parse(line).ok())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_in_the_tree_is_made_of_the_sources_in_the_tree() {
        let made = object().expect("the sources can be merged");
        assert!(made == include_bytes!("../domains.gpd"), "run: cargo run -p gatepost-data");
    }

    #[test]
    fn every_listed_disposable_domain_is_known_unless_somebody_looked_at_it() {
        let list =
            DomainList::of(&names().expect("the sources can be merged"), date().expect("a date")).expect("a list");
        let (mut listed, mut known) = (0, 0);
        for domain in disposable().keys() {
            listed += 1;
            known += usize::from(list.class(domain) == Some(Class::Disposable));
        }
        assert!(known * 1000 >= listed * 994, "{known} of {listed}");
    }

    #[test]
    fn no_provider_that_we_looked_at_is_called_disposable() {
        let names = names().expect("the sources can be merged");
        for name in
            providers().expect("providers").into_keys().chain(domains(NOT_DISPOSABLE).map(|name| name.to_string()))
        {
            assert_ne!(names.get(&name).map(|listing| listing.class), Some(Class::Disposable), "{name}");
        }
    }
}
