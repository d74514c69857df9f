//! Merges the snapshots in `sources/` into one list of domains.

use std::collections::{BTreeMap, BTreeSet};

use gatepost::{
    address::{Domain, squatted_provider, suggest_domain},
    domain_list::{Class, DomainList, DomainListError, Listing, MIN_SOURCES_OF_HOST, Reach},
};
use jiff::civil::Date;

/// What counts as one source each. The two lists of the second have nearly all names in common.
const DISPOSABLE: [&[&str]; 3] = [
    &[include_str!("../sources/disposable-email-domains.txt")],
    &[include_str!("../sources/disposable-email-detector.txt"), include_str!("../sources/mailchecker.txt")],
    &[include_str!("../sources/disposable.txt")],
];

/// What we looked at ourselves; believed as two sources are.
const MAIL_HOSTS: &str = include_str!("../sources/mail_hosts.txt");

/// Nobody registers a name there to throw it away; the lists have invented ones.
const RESTRICTED: [&str; 4] = ["gov", "mil", "int", "edu"];

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

/// The file that the program carries, made of the snapshots.
///
/// # Errors
/// When a source is malformed.
pub fn file() -> Result<Vec<u8>, SourceError> {
    Ok(DomainList::file(&names()?, date()?)?)
}

/// The object that running programs take over.
///
/// # Errors
/// When a source is malformed.
pub fn object() -> Result<Vec<u8>, SourceError> {
    Ok(DomainList::object(&names()?, date()?))
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
        let is_squat =
            suggest_domain(domain, known.find(domain), &known).is_some() || squatted_provider(domain).is_some();
        let class = if is_squat { Class::TypoSquat } else { Class::Disposable };
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

/// How many sources name a domain.
fn disposable() -> BTreeMap<Domain, u8> {
    let not_disposable: BTreeSet<Domain> = domains(NOT_DISPOSABLE).collect();
    let is_meant = |domain: &Domain| !not_disposable.contains(domain) && !RESTRICTED.contains(&domain.top_level());
    let mut sources: BTreeMap<Domain, u8> = BTreeMap::new();
    for lists in DISPOSABLE {
        let named: BTreeSet<Domain> = lists.iter().flat_map(|list| domains(list)).filter(is_meant).collect();
        named.into_iter().for_each(|domain| *sources.entry(domain).or_default() += 1);
    }
    for domain in domains(MAIL_HOSTS) {
        let known = sources.entry(domain).or_default();
        *known = (*known).max(MIN_SOURCES_OF_HOST);
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
    fn the_file_in_the_tree_is_made_of_the_sources_in_the_tree() {
        let made = file().expect("the sources can be merged");
        assert!(made == include_bytes!("../domains.fst"), "run: cargo run -p gatepost-data");
    }

    #[test]
    fn every_listed_disposable_domain_is_known_unless_somebody_looked_at_it() {
        let list =
            DomainList::of(&names().expect("the sources can be merged"), date().expect("a date")).expect("a list");
        let (mut listed, mut known) = (0, 0);
        let providers = providers().expect("providers");
        for domain in disposable().keys().filter(|domain| !providers.contains_key(domain.as_str())) {
            listed += 1;
            known += usize::from(list.class(domain) == Some(Class::Disposable));
        }
        assert!(known * 1000 >= listed * 993, "{known} of {listed}");
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
