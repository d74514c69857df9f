//! Where the mail of a domain goes, as DNS tells it (RFC 5321 §5.1, RFC 7505): the answer, not the lookup.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One MX record and the addresses of its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailHost {
    /// The exchange: lower-case A-labels, no trailing dot.
    pub name: String,
    /// The lower, the sooner it is tried.
    pub preference: u16,
    /// A and AAAA records; empty when there are none, `None` when nobody asked or DNS did not say.
    pub addresses: Option<Vec<IpAddr>>,
}

/// What DNS tells about a domain that an address is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// Who receives its mail.
    pub mail: MailHosts,
    /// Who answers for it: lower-case A-labels. Empty when nobody was asked or the name is no zone of its own.
    pub name_servers: Vec<String>,
}

impl From<MailHosts> for Hosts {
    fn from(mail: MailHosts) -> Self {
        Self { mail, name_servers: Vec::new() }
    }
}

/// The answer to "who receives mail for this domain?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailHosts {
    /// MX records, most preferred first.
    Mx(Vec<MailHost>),
    /// No MX record, but addresses: the domain itself is the mail host (RFC 5321 §5.1).
    Implicit(Vec<IpAddr>),
    /// No MX record but such with an empty target: no mail is accepted (RFC 7505).
    NullMx,
    /// The domain exists without MX, A or AAAA records.
    NoMailHost,
    /// The domain does not exist.
    NxDomain,
    /// No usable answer in time; says nothing about the domain.
    TempError,
    /// Nobody asked.
    NotChecked,
}

impl MailHosts {
    /// The word of the wire format; `ok` for both kinds of existing mail hosts.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Mx(_) | Self::Implicit(_) => "ok",
            Self::NullMx => "null_mx",
            Self::NoMailHost => "no_mail_host",
            Self::NxDomain => "nxdomain",
            Self::TempError => "temperror",
            Self::NotChecked => "not_checked",
        }
    }

    /// The names of the MX targets, most preferred first; empty without MX records.
    #[must_use]
    pub fn mx(&self) -> Vec<&str> {
        self.hosts().iter().map(|host| host.name.as_str()).collect()
    }

    /// The MX records with their addresses, most preferred first.
    #[must_use]
    pub fn hosts(&self) -> &[MailHost] {
        match self {
            Self::Mx(hosts) => hosts,
            _ => &[],
        }
    }

    /// Whether the domain's own address stands in for an MX record.
    #[must_use]
    pub const fn implicit_mx(&self) -> bool {
        matches!(self, Self::Implicit(_))
    }

    /// Whether some host, though not every one, has only addresses that cannot be reached from the public internet.
    #[must_use]
    pub fn partly_private(&self) -> bool {
        !self.only_private() && self.hosts().iter().any(MailHost::is_private)
    }

    /// Whether addresses are known and none of them can be reached from the public internet.
    ///
    /// A host whose addresses are unknown counts as reachable: absence of knowledge accuses nobody. One that has none adds
    /// nothing.
    #[must_use]
    pub fn only_private(&self) -> bool {
        match self {
            Self::Mx(hosts) => {
                let is_no_way = |host: &MailHost| host.is_private() || host.has_no_address();
                hosts.iter().any(MailHost::is_private) && hosts.iter().all(is_no_way)
            }
            Self::Implicit(addresses) => all_private(addresses),
            _ => false,
        }
    }

    /// Whether there are MX records, and no host of them has an address.
    #[must_use]
    pub fn is_unresolvable(&self) -> bool {
        let hosts = self.hosts();
        !hosts.is_empty() && hosts.iter().all(MailHost::has_no_address)
    }
}

impl MailHost {
    /// Whether the host is in the network that throw-away providers share: more than 1,400 listed domains had their mail
    /// host in it in 2026.
    #[must_use]
    pub fn is_among_disposable(&self) -> bool {
        let in_network =
            |address: &IpAddr| matches!(address, IpAddr::V4(v4) if matches!(v4.octets(), [198, 133, 158 | 159, _]));
        self.known_addresses().iter().any(in_network)
    }

    /// Whether DNS says that there is none.
    #[must_use]
    pub fn has_no_address(&self) -> bool {
        self.addresses.as_ref().is_some_and(Vec::is_empty)
    }

    fn is_private(&self) -> bool {
        self.name == "localhost" || self.name.ends_with(".localhost") || all_private(self.known_addresses())
    }

    fn known_addresses(&self) -> &[IpAddr] {
        self.addresses.as_deref().unwrap_or_default()
    }
}

/// Whether an address is one that packets from the public internet can reach (RFC 6890 and its registries).
///
/// Documentation addresses (`192.0.2.0/24`, `2001:db8::/32` ..) count as public: they stand
/// for public ones in every test zone.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn all_private(addresses: &[IpAddr]) -> bool {
    !addresses.is_empty() && !addresses.iter().any(|&address| is_public(address))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0                                   // this network
        || a >= 240                                         // class E and broadcast
        || (a == 100 && b & 0xc0 == 64)                     // carrier-grade NAT, RFC 6598
        || (a == 198 && b & 0xfe == 18)                     // benchmarking, RFC 2544
        || (a == 192 && b == 0 && c == 0); // protocol assignments, RFC 6890
    !(reserved || address.is_loopback() || address.is_private() || address.is_link_local() || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3; what IANA took out of it for other uses stays out.
    let protocol_assignment = first == 0x2001 && second < 0x200;
    first & 0xe000 == 0x2000 && !protocol_assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, addresses: &[&str]) -> MailHost {
        let addresses = addresses.iter().map(|text| text.parse().expect("a literal of this test")).collect();
        MailHost { name: name.to_owned(), preference: 10, addresses: Some(addresses) }
    }

    fn unknown(name: &str) -> MailHost {
        MailHost { name: name.to_owned(), preference: 10, addresses: None }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for (text, expected) in [
            ("192.0.2.1", true),
            ("192.0.0.8", false),
            ("198.18.0.1", false),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("169.254.1.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("8.8.8.8", true),
            ("::", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("fe80::1", false),
            ("fc00::1", false),
            ("2001:db8::1", true),
            ("2001::1", false),
            ("2606:4700::1111", true),
        ] {
            assert_eq!(is_public(text.parse().expect("a literal of this test")), expected, "{text}");
        }
    }

    #[test]
    fn a_domain_is_private_only_when_every_known_address_is() {
        for (hosts, expected) in [
            (MailHosts::Mx(vec![host("mx.example.com", &["10.0.0.1"])]), true),
            (MailHosts::Mx(vec![unknown("localhost")]), true),
            (MailHosts::Mx(vec![host("mx.example.com", &[])]), false),
            (MailHosts::Mx(vec![host("a.example.com", &["10.0.0.1"]), host("b.example.com", &[])]), true),
            (MailHosts::Mx(vec![host("a.example.com", &["10.0.0.1"]), unknown("b.example.com")]), false),
            (MailHosts::Mx(vec![host("a.example.com", &["10.0.0.1"]), host("b.example.com", &["8.8.8.8"])]), false),
            (MailHosts::Mx(vec![]), false),
            (MailHosts::Implicit(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]), true),
            (MailHosts::NotChecked, false),
        ] {
            assert_eq!(hosts.only_private(), expected, "{hosts:?}");
        }
    }

    #[test]
    fn a_domain_is_unresolvable_only_when_dns_says_so_of_every_host() {
        for (hosts, expected) in [
            (MailHosts::Mx(vec![host("a.example.com", &[]), host("b.example.com", &[])]), true),
            (MailHosts::Mx(vec![host("a.example.com", &[]), unknown("b.example.com")]), false),
            (MailHosts::Mx(vec![host("a.example.com", &[]), host("b.example.com", &["10.0.0.1"])]), false),
            (MailHosts::Mx(Vec::new()), false),
            (MailHosts::NoMailHost, false),
        ] {
            assert_eq!(hosts.is_unresolvable(), expected, "{hosts:?}");
        }
    }

    #[test]
    fn both_kinds_of_mail_hosts_are_ok_on_the_wire() {
        let mx = MailHosts::Mx(vec![host("mx1.example", &[]), host("mx2.example", &[])]);
        assert_eq!((mx.status(), mx.mx(), mx.implicit_mx()), ("ok", vec!["mx1.example", "mx2.example"], false));
        let implicit = MailHosts::Implicit(vec![IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8))]);
        assert_eq!((implicit.status(), implicit.mx(), implicit.implicit_mx()), ("ok", vec![], true));
    }
}
