//! Services that lead elsewhere: shorteners, redirectors, those that count clicks for honest senders, those that check links.

use std::{collections::HashMap, sync::LazyLock};

use super::target::Address;

/// One a line: what it is, its domain, of a redirector where in its address the target stands, and of a shortener the authors whose
/// own it is.
const LIST: &str = include_str!("../../../data/link-services.txt");

static SERVICES: LazyLock<HashMap<&'static str, Vec<Service>>> = LazyLock::new(|| {
    let mut services: HashMap<_, Vec<_>> = HashMap::new();
    for (domain, service) in LIST.lines().filter_map(read) {
        services.entry(domain).or_default().push(service);
    }
    services
});

/// What a domain is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Short addresses that hide where they lead, except in what these domains write, separated by spaces.
    Shortener { authors: &'static str },
    /// Leads wherever its address says: from this path, to the value of this parameter.
    Redirector { path: &'static str, parameter: &'static str },
    /// Counts clicks for many senders.
    Tracker,
    /// Checks links for the receiver: what is meant is the address within.
    Rewriter,
    /// Shows what anybody puts there, or tunnels to anybody's machine, under a name that filters trust.
    Hosting,
    /// Its name servers answer for any name with the IP address that is written in it.
    Number,
}

/// What the address is served by, if that is known. The whole domain counts, except for redirectors.
pub(super) fn service(address: &Address) -> Option<Service> {
    let host = address.host();
    let names = std::iter::successors(Some(host.as_str()), |name| name.split_once('.').map(|(_, parent)| parent));
    let known = names.filter_map(|name| SERVICES.get(name)).flatten();
    known.copied().find(|service| match service {
        Service::Shortener { .. } => 1 < address.url.path().len(),
        Service::Redirector { path, parameter } => {
            address.url.path().starts_with(path) && (*parameter == "*" || has_parameter(address, parameter))
        }
        Service::Tracker | Service::Rewriter | Service::Hosting | Service::Number => true,
    })
}

fn has_parameter(address: &Address, parameter: &str) -> bool {
    address.url.query_pairs().any(|(name, value)| name == parameter && value.contains('.'))
}

fn read(line: &'static str) -> Option<(&'static str, Service)> {
    let mut words = line.splitn(3, ' ');
    let (kind, domain) = (words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default();
    let mut words = rest.split_whitespace();
    let service = match kind {
        "shortener" => Service::Shortener { authors: rest },
        "redirector" => Service::Redirector { path: words.next()?, parameter: words.next()? },
        "tracker" => Service::Tracker,
        "rewriter" => Service::Rewriter,
        "hosting" => Service::Hosting,
        "number" => Service::Number,
        _ => return None,
    };
    Some((domain, service))
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    #[test]
    fn every_line_of_the_list_is_understood() {
        let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let misread: Vec<_> = lines.filter(|line| read(line).is_none()).collect();
        assert_eq!(misread, [""; 0]);
    }

    #[test]
    fn a_service_is_known_by_its_domain_and_path() {
        let service = |written: &str| match Target::parse(written) {
            Target::Web(address) => service(&address),
            other => panic!("{other:?}"),
        };
        let redirects = |found: Option<Service>| matches!(found, Some(Service::Redirector { .. }));
        assert_eq!(service("https://bit.ly/abc"), Some(Service::Shortener { authors: "" }));
        assert_eq!(service("https://bit.ly/"), None);
        assert_eq!(service("https://u1.ct.sendgrid.net/ls/click?upn=1"), Some(Service::Tracker));
        assert_eq!(service("https://de01.safelinks.protection.outlook.com/?url=a"), Some(Service::Rewriter));
        assert!(redirects(service("https://www.google.com/url?q=https://a.example")));
        assert_eq!(service("https://www.google.com/search?q=a.example"), None);
        assert_eq!(service("https://notbit.ly/abc"), None);
    }
}
