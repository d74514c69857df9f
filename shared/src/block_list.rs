//! Lists in DNS of clients and domains that others had trouble with (RFC 5782). Off unless a receiver names some.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    address::Domain,
    finding::{Finding, Severity},
    spf::{Answer, Data},
};

/// Questions for one message, over all lists.
pub const MAX_QUESTIONS: usize = 40;

/// Lists that can be named.
pub const MAX_LISTS: usize = 8;

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("block_listed_client", "a block list of this receiver has the client's address"),
    ("block_listed_domain", "a block list of this receiver has a domain of the message"),
];

/// One list: `client=ZONE` or `domain=ZONE`. A key that a provider gives out is part of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockList {
    about: About,
    zone: Domain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Client,
    Domain,
}

/// Why a text names no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockListError {
    #[error("{0:?} is neither client=ZONE nor domain=ZONE")]
    Malformed(String),
    #[error("more than {MAX_LISTS} lists are named")]
    TooMany,
}

/// A name to ask for, and what a listing of it would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    pub name: String,
    about: About,
    subject: String,
    list: String,
}

impl BlockList {
    /// # Errors
    /// The first text that names no list, or too many of them.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, BlockListError> {
        if MAX_LISTS < texts.len() {
            return Err(BlockListError::TooMany);
        }
        texts.iter().map(|text| Self::parse(text)).collect()
    }

    fn parse(text: &str) -> Result<Self, BlockListError> {
        let malformed = || BlockListError::Malformed(text.to_owned());
        let (about, zone) = text.split_once('=').ok_or_else(malformed)?;
        let about = match about {
            "client" => About::Client,
            "domain" => About::Domain,
            _ => return Err(malformed()),
        };
        Ok(Self { about, zone: Domain::parse(zone).map_err(|_| malformed())? })
    }

    /// The zone without what looks like a key: reports are read by many.
    fn shown(&self) -> String {
        const LONGEST_WORD: usize = 15;
        let labels: Vec<&str> = self.zone.labels().filter(|label| label.len() <= LONGEST_WORD).collect();
        labels.join(".")
    }
}

/// What to ask for a message, at most [`MAX_QUESTIONS`] names, each once: clients first, then domains in the order given.
#[must_use]
pub fn inquiries(lists: &[BlockList], client_ip: IpAddr, domains: &[Domain]) -> Vec<Inquiry> {
    let mut inquiries: Vec<Inquiry> = Vec::new();
    let mut add = |list: &BlockList, label: &str, subject: &str| {
        let inquiry = Inquiry {
            name: format!("{label}.{}", list.zone),
            about: list.about,
            subject: subject.to_owned(),
            list: list.shown(),
        };
        if inquiries.len() < MAX_QUESTIONS && inquiry.name.len() <= 253 && !inquiries.contains(&inquiry) {
            inquiries.push(inquiry);
        }
    };
    for list in lists.iter().filter(|list| list.about == About::Client) {
        add(list, &reversed(client_ip), &client_ip.to_string());
    }
    for domain in domains {
        for list in lists.iter().filter(|list| list.about == About::Domain) {
            add(list, domain.as_str(), domain.as_str());
        }
    }
    inquiries
}

/// The finding of an answer that is a listing. A failure is none, and neither is an answer by which a list says that it was
/// asked too often, without a key or for something that it does not list.
#[must_use]
pub fn finding(inquiry: &Inquiry, answer: &Answer) -> Option<Finding> {
    let Answer::Records(records) = answer else { return None };
    records.iter().find(|data| matches!(data, Data::Address(IpAddr::V4(ip)) if is_listing(*ip)))?;
    let Inquiry { subject, list, .. } = inquiry;
    let detail = format!("{subject} is on the block list {list}.");
    Some(match inquiry.about {
        About::Client => Finding::new("block_listed_client", Severity::Quarantine, detail),
        About::Domain => Finding::new("block_listed_domain", Severity::Quarantine, detail).at(subject.clone()),
    })
}

/// RFC 5782 §2.1: within 127.0.0.0/8, and not 127.0.0.1 (§5). Spamhaus answers 127.255.255.0/24 for errors and 127.0.1.255
/// for an address asked as a domain; whoever answers outside of the network is no list any more.
fn is_listing(ip: Ipv4Addr) -> bool {
    match ip.octets() {
        [127, 0, 0, 0 | 1] | [127, 255, 255, _] | [127, 0, 1, 255] => false,
        [127, ..] => true,
        _ => false,
    }
}

/// RFC 5782 §2.1 and §2.4: octets, or the hexadecimal digits of IPv6, from the last to the first.
fn reversed(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => {
            let digits = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            let digits: Vec<String> = digits.rev().map(|digit| format!("{digit:x}")).collect();
            digits.join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(texts: &[&str]) -> Result<Vec<BlockList>, BlockListError> {
        BlockList::parse_all(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn names(texts: &[&str], ip: &str, domains: &[&str]) -> Vec<String> {
        let lists = lists(texts).expect("lists");
        let domains: Vec<Domain> = domains.iter().map(|domain| Domain::parse(domain).expect("a domain")).collect();
        inquiries(&lists, ip.parse().expect("an address"), &domains).into_iter().map(|asked| asked.name).collect()
    }

    #[test]
    fn each_list_is_asked_for_what_it_lists() {
        let lists = ["client=zen.lists.example", "domain=dbl.lists.example"];
        assert_eq!(
            names(&lists, "192.0.2.99", &["a.example", "a.example"]),
            ["99.2.0.192.zen.lists.example", "a.example.dbl.lists.example"]
        );
        assert_eq!(names(&lists[..1], "::ffff:192.0.2.99", &["a.example"]), ["99.2.0.192.zen.lists.example"]);
        let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.lists.example";
        assert_eq!(names(&lists[..1], "2001:db8::1", &[]), [six]);
        assert_eq!(names(&[], "192.0.2.99", &["a.example"]), [""; 0]);
    }

    #[test]
    fn no_more_is_asked_than_the_limit() {
        let domains: Vec<String> = (0..100).map(|n| format!("a{n}.example")).collect();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        assert_eq!(names(&["domain=dbl.lists.example"], "192.0.2.1", &domains).len(), MAX_QUESTIONS);
    }

    #[test]
    fn only_a_listing_is_a_finding() {
        let list = lists(&["client=abcdefghijklmnopqrstuvwxyz.zen.lists.example"]).expect("a list");
        let inquiry = inquiries(&list, "192.0.2.99".parse().expect("an address"), &[]).remove(0);
        let answered = |ip: &str| Answer::Records(vec![Data::Address(ip.parse().expect("an address"))]);
        for (answer, expected) in [
            (answered("127.0.0.2"), Some("192.0.2.99 is on the block list zen.lists.example.")),
            (answered("127.0.0.11"), Some("192.0.2.99 is on the block list zen.lists.example.")),
            (answered("127.255.255.254"), None),
            (answered("127.255.255.252"), None),
            (answered("127.0.0.1"), None),
            (answered("127.0.1.255"), None),
            (answered("192.0.2.1"), None),
            (Answer::NxDomain, None),
            (Answer::NoRecords, None),
            (Answer::Failed, None),
        ] {
            let finding = finding(&inquiry, &answer);
            assert_eq!(finding.as_ref().map(|finding| finding.detail.as_str()), expected, "{answer:?}");
        }
    }

    #[test]
    fn what_names_no_list_is_refused() {
        for text in ["zen.lists.example", "other=zen.lists.example", "client=", "client=a b"] {
            assert_eq!(lists(&[text]), Err(BlockListError::Malformed(text.to_owned())));
        }
        assert_eq!(lists(&["client=a.example"; 9]), Err(BlockListError::TooMany));
    }
}
