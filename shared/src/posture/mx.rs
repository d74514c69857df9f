//! Where the domain takes mail (RFC 5321 §5.1, RFC 7505).

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    finding::{Finding, FindingCode},
    place::{State, shown_item},
    recorded::Recorded,
};
use crate::{
    mail_hosts::is_public,
    spf::{Data, QuestionKind},
};

/// The most preferred hosts are looked up, no more.
pub(super) const MAX_RESOLVED_HOSTS: usize = 5;
/// Of the others no more than so many are judged.
const MAX_HOSTS: usize = 20;
/// Addresses of one host.
const MAX_ADDRESSES: usize = 8;

/// The MX records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxPosture {
    pub state: State,
    /// Most preferred first, at most 20.
    pub hosts: Vec<MxHost>,
    pub is_null: bool,
}

/// One MX record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MxHost {
    pub preference: u16,
    /// As it is in DNS, without the root dot; empty for a null MX.
    pub name: String,
    /// A and AAAA; `None` when nobody asked or DNS did not say.
    pub addresses: Option<Vec<IpAddr>>,
}

impl MxPosture {
    /// Whether mail is taken, as far as is known: protection of its way matters then.
    pub(super) fn may_take_mail(&self) -> bool {
        self.state == State::Unanswered || self.hosts.iter().any(|host| !host.name.is_empty())
    }
}

/// Names whose addresses are to be looked up.
pub(super) fn hosts_to_resolve(recorded: &Recorded) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for MxHost { name, .. } in hosts(recorded).map(|hosts| hosts.preferred).unwrap_or_default() {
        if !name.is_empty() && !is_ip_address(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(MAX_RESOLVED_HOSTS);
    names
}

pub(super) fn judge(recorded: &Recorded, findings: &mut Vec<Finding>) -> MxPosture {
    let Some(Hosts { preferred: hosts, count, is_null }) = hosts(recorded) else {
        return MxPosture { state: State::Unanswered, hosts: Vec::new(), is_null: false };
    };
    let before = findings.len();
    findings.extend(number_finding(recorded.domain.as_str(), count, is_null));
    findings.extend(many(recorded.domain.as_str(), count));
    findings.extend(duplicates(&hosts));
    findings.extend(hosts.iter().filter_map(|host| host_finding(recorded.domain.as_str(), host)));
    let is_wrong = findings
        .iter()
        .skip(before)
        .any(|finding| matches!(finding.code, FindingCode::MxNullBesideHosts | FindingCode::MxIpAddress));
    let state = match hosts.is_empty() {
        true => State::Absent,
        false if is_wrong => State::Invalid,
        false => State::Valid,
    };
    MxPosture { state, hosts, is_null }
}

/// What the MX records say.
struct Hosts {
    /// No more than are judged.
    preferred: Vec<MxHost>,
    /// Of all records.
    count: usize,
    is_null: bool,
}

fn hosts(recorded: &Recorded) -> Option<Hosts> {
    let data = recorded.data(recorded.domain.as_str(), QuestionKind::Mx)?;
    let record = |data: &Data| match data {
        Data::MailHost { preference, name } => Some((*preference, name.to_ascii_lowercase())),
        _ => None,
    };
    let mut records: Vec<(u16, String)> = data.iter().filter_map(record).collect();
    let (count, is_null) = (records.len(), records.iter().any(|(_, name)| name.is_empty()));
    records.sort();
    records.truncate(MAX_HOSTS);
    let host = |(preference, name): (u16, String)| {
        let addresses = addresses(recorded, &name);
        MxHost { preference, name: shown_item(&name), addresses }
    };
    Some(Hosts { preferred: records.into_iter().map(host).collect(), count, is_null })
}

/// Known when neither family was left unanswered, or one of them has an address.
fn addresses(recorded: &Recorded, name: &str) -> Option<Vec<IpAddr>> {
    let families = [QuestionKind::A, QuestionKind::Aaaa].map(|kind| recorded.data(name, kind));
    let is_known = families.iter().all(Option::is_some);
    let address = |data: &Data| if let Data::Address(address) = data { Some(*address) } else { None };
    let found: Vec<IpAddr> = families.into_iter().flatten().flatten().filter_map(address).take(MAX_ADDRESSES).collect();
    (is_known || !found.is_empty()).then_some(found)
}

fn number_finding(domain: &str, count: usize, is_null: bool) -> Option<Finding> {
    let finding = |code, detail: String, fix: String| Some(Finding::new(code, detail, fix));
    match (count, is_null) {
        (0, _) => finding(
            FindingCode::MxMissing,
            format!("{domain} has no MX record; senders fall back to its own address."),
            format!(
                "Publish \"{domain}. MX 10 mail.{domain}.\" with the name of your mail host, or \"{domain}. MX 0 .\" if \
                 the domain takes no mail."
            ),
        ),
        (1, true) => finding(
            FindingCode::MxNull,
            format!("{domain} takes no mail."),
            format!("Nothing, if that is meant; otherwise replace \"{domain}. MX 0 .\" by the name of your mail host."),
        ),
        (_, true) => finding(
            FindingCode::MxNullBesideHosts,
            format!("{domain} says that it takes no mail, and names mail hosts."),
            format!("Delete either \"{domain}. MX 0 .\" or all other MX records of {domain}."),
        ),
        (_, false) => None,
    }
}

fn many(domain: &str, count: usize) -> Option<Finding> {
    let detail = format!("{domain} has {count} MX records; the {MAX_HOSTS} most preferred were looked at.");
    let fix = format!("Delete the MX records of {domain} that no sender gets to.");
    (MAX_HOSTS < count).then(|| Finding::new(FindingCode::MxManyHosts, detail, fix))
}

fn duplicates(hosts: &[MxHost]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> =
        hosts.iter().map(|host| host.name.as_str()).filter(|name| !seen.insert(*name)).collect();
    let finding = |name: &str| {
        let fix = format!("Delete all MX records for {name} but the one with the lowest preference.");
        Finding::new(FindingCode::MxDuplicateHost, format!("More than one MX record names {name}."), fix)
    };
    twice.into_iter().map(finding).collect()
}

fn host_finding(domain: &str, host: &MxHost) -> Option<Finding> {
    let MxHost { name, addresses, preference } = host;
    if is_ip_address(name) {
        let detail = format!("The MX record of {domain} names {name}, which is an IP address and no host.");
        let fix = format!(
            "Give the address a name, \"mail.{domain}. A {name}\", and publish \"{domain}. MX {preference} mail.{domain}.\"."
        );
        return Some(Finding::new(FindingCode::MxIpAddress, detail, fix));
    }
    match addresses.as_deref() {
        Some([]) if !name.is_empty() => {
            let fix =
                format!("Publish an A or AAAA record at {name}, or delete \"{domain}. MX {preference} {name}.\".");
            Some(Finding::new(FindingCode::MxHostWithoutAddress, format!("The mail host {name} has no address."), fix))
        }
        Some([first, rest @ ..]) if !is_public(*first) && !rest.iter().any(|address| is_public(*address)) => {
            let detail =
                format!("The mail host {name} has only addresses that the internet cannot reach, such as {first}.");
            let fix = format!("Publish at {name} an A or AAAA record with the public address of the mail host.");
            Some(Finding::new(FindingCode::MxNotPublic, detail, fix))
        }
        _ => None,
    }
}

fn is_ip_address(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{super::recorded::tests::recorded, *};

    #[test]
    fn mail_hosts_are_judged_by_their_names_and_addresses() {
        use FindingCode::*;
        let good = "\na.x.example A 192.0.2.1\nb.x.example AAAA 2001:db8::1";
        for (zone, state, expected) in [
            ("x.example MX 10 a.x.example\nx.example MX 20 b.x.example", State::Valid, &[][..]),
            ("x.example TXT hello", State::Absent, &[MxMissing]),
            ("x.example MX failure", State::Unanswered, &[]),
            ("x.example MX 0 .", State::Valid, &[MxNull]),
            ("x.example MX 0 .\nx.example MX 10 a.x.example", State::Invalid, &[MxNullBesideHosts]),
            ("x.example MX 10 a.x.example\nx.example MX 20 A.x.example", State::Valid, &[MxDuplicateHost]),
            ("x.example MX 10 192.0.2.1", State::Invalid, &[MxIpAddress]),
            ("x.example MX 10 gone.x.example", State::Valid, &[MxHostWithoutAddress]),
            ("x.example MX 10 p.x.example\np.x.example A 10.0.0.1", State::Valid, &[MxNotPublic]),
            ("x.example MX 10 p.x.example\np.x.example A 10.0.0.1\np.x.example A 192.0.2.1", State::Valid, &[]),
            ("x.example MX 10 f.x.example\nf.x.example A failure", State::Valid, &[]),
        ] {
            let mut findings = Vec::new();
            let posture = judge(&recorded("x.example", &format!("{zone}{good}")), &mut findings);
            let codes: Vec<FindingCode> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!((posture.state, codes.as_slice()), (state, expected), "{zone}");
        }
    }

    #[test]
    fn of_many_records_the_most_preferred_are_judged_and_all_are_counted() {
        let mut zone: String = (0..2_200).map(|n| format!("x.example MX {n} 192.0.2.1{n:04}.x.example\n")).collect();
        zone += "x.example MX 60000 .\n";
        zone.extend((0..40).map(|n| format!("192.0.2.10000.x.example A 192.0.2.{n}\n")));
        let recorded = recorded("x.example", &zone);
        let mut findings = Vec::new();
        let posture = judge(&recorded, &mut findings);
        assert_eq!((posture.hosts.len(), posture.is_null), (20, true));
        assert_eq!(posture.hosts[0].addresses.as_ref().map(Vec::len), Some(8));
        let many = findings.iter().find(|finding| finding.code == FindingCode::MxManyHosts).expect("a finding");
        assert_eq!(many.detail, "x.example has 2201 MX records; the 20 most preferred were looked at.");
        assert_eq!(hosts_to_resolve(&recorded).len(), MAX_RESOLVED_HOSTS);
    }

    #[test]
    fn the_most_preferred_hosts_come_first() {
        let zone = "x.example MX 20 b.x.example\nx.example MX 5 c.x.example\nc.x.example A 192.0.2.1";
        let hosts = judge(&recorded("x.example", zone), &mut Vec::new()).hosts;
        let told: Vec<_> =
            hosts.iter().map(|host| (host.preference, host.name.as_str(), host.addresses.clone())).collect();
        let address = "192.0.2.1".parse().expect("an address");
        assert_eq!(told, [(5, "c.x.example", Some(vec![address])), (20, "b.x.example", Some(vec![]))]);
    }
}
