//! Questions to DNS. Every one has a deadline, and no answer is ever an error of ours: it is a finding.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, Record, RecordType},
    },
    system_conf::read_system_conf,
};
use tokio::time::Instant;

use super::hosts_cache::{HostsCache, LONGEST_NEGATIVE_TTL, LONGEST_TTL, Lifetime};
use crate::{
    address::Domain,
    config::{self, Reader},
    mail_hosts::{Hosts, MailHost, MailHosts},
};

/// More MX hosts than this are not reported: a verdict does not get better, and a zone could name thousands.
const MOST_MX_HOSTS: usize = 20;

/// Name servers that are looked at.
const MOST_NAME_SERVERS: usize = 8;

/// So many of the most preferred MX hosts are resolved, to tell whether any can be reached from the internet.
const RESOLVED_MX_HOSTS: usize = 3;

/// Of each mail host, and of a domain without MX records.
const MOST_ADDRESSES: usize = 8;

/// A name may be longer in text than on the wire, but only with octets that no name of a host has.
const MOST_NAME_OCTETS: usize = 253;

/// Domains whose hosts one instance remembers. Within the bounds above one takes 9 kB at most, and all of them 90 MB of a
/// function that has 256 MB; real ones take less than a tenth of that.
const REMEMBERED_DOMAINS: usize = 10_000;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    /// As the operating system is configured.
    System,
    /// This server, over UDP with TCP for what does not fit.
    At(SocketAddr),
}

impl NameServer {
    /// `system`, or `ADDR:PORT`; anything else is a fault of the setting.
    pub fn read(read: &mut Reader<impl Fn(&str) -> Option<String>>) -> Self {
        let text = read.text(config::DNS_SERVER);
        match (text.trim(), text.trim().parse()) {
            ("system", _) => Self::System,
            (_, Ok(address)) => Self::At(address),
            (_, Err(_)) => {
                read.refuse(config::DNS_SERVER, &"neither `system` nor ADDR:PORT");
                Self::System
            }
        }
    }
}

/// Whether the name servers of a domain are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameServers {
    Wanted,
    Omitted,
}

/// Looks up where a domain takes mail.
#[derive(Clone)]
pub struct Dns {
    pub(super) resolver: TokioResolver,
    /// For all queries of one question together.
    deadline: Duration,
    remembered: Arc<Mutex<HostsCache<(Domain, NameServers)>>>,
}

enum Answer {
    Records { data: Vec<RData>, ttl: Duration },
    NoRecords,
    NxDomain,
    Failed,
}

impl Dns {
    /// `timeout` is for one query; a question as a whole, which may need several, may take three times as long.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn new(server: NameServer, timeout: Duration) -> Result<Self, NetError> {
        let resolver = resolver(server, timeout, 0)?;
        let remembered = Arc::new(Mutex::new(HostsCache::new(REMEMBERED_DOMAINS)));
        Ok(Self { resolver, deadline: timeout * 3, remembered })
    }

    /// Mail hosts, and when asked for, the name servers of the domain at the same time. At most 8 questions: MX, NS, and
    /// A and AAAA of three mail hosts, or of the domain itself. A name with neither records nor an SOA record costs one
    /// more. What was found shortly before is remembered.
    pub async fn hosts(&self, domain: &Domain, name_servers: NameServers) -> Hosts {
        let question = (domain.clone(), name_servers);
        if let Some(hosts) = self.remembered().get(&question, Instant::now()) {
            return hosts;
        }
        let (hosts, lifetime) = match name_servers {
            NameServers::Omitted => {
                let (mail, lifetime) = self.mail_hosts(domain).await;
                (mail.into(), lifetime)
            }
            NameServers::Wanted => {
                let ((mail, of_mail), (name_servers, of_name_servers)) =
                    tokio::join!(self.mail_hosts(domain), self.name_servers(domain));
                (Hosts { mail, name_servers }, of_mail.and(of_name_servers))
            }
        };
        self.remembered().insert(question, &hosts, lifetime, Instant::now());
        hosts
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HostsCache<(Domain, NameServers)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn name_servers(&self, domain: &Domain) -> (Vec<String>, Lifetime) {
        let name = format!("{}.", domain.as_str());
        let answer = tokio::time::timeout(self.deadline, self.answer(&name, RecordType::NS)).await;
        match answer.unwrap_or(Answer::Failed) {
            Answer::Records { data, ttl } => {
                (data.iter().filter_map(name_server).take(MOST_NAME_SERVERS).collect(), Lifetime::of_records(ttl))
            }
            // Most names are no zone of their own.
            Answer::NoRecords | Answer::NxDomain => (Vec::new(), Lifetime::LONGEST),
            Answer::Failed => (Vec::new(), Lifetime::OF_GAPS),
        }
    }

    /// MX, null MX, or the implicit MX of an address record (RFC 5321 §5.1, RFC 7505).
    async fn mail_hosts(&self, domain: &Domain) -> (MailHosts, Lifetime) {
        let name = format!("{}.", domain.as_str());
        let question = async {
            match self.answer(&name, RecordType::MX).await {
                Answer::Records { data, ttl } => {
                    let (mail, of_addresses) = self.explicit(data).await;
                    (mail, of_addresses.and(Lifetime::of_records(ttl)))
                }
                Answer::NoRecords => (self.implicit(&name).await, Lifetime::OF_GAPS),
                Answer::NxDomain => (MailHosts::NxDomain, Lifetime::OF_GAPS),
                Answer::Failed => (MailHosts::TempError, Lifetime::NONE),
            }
        };
        match tokio::time::timeout(self.deadline, question).await {
            Ok((mail, lifetime)) if mail != MailHosts::TempError => (mail, lifetime),
            Ok(_) | Err(_) => (MailHosts::TempError, Lifetime::NONE),
        }
    }

    async fn explicit(&self, data: Vec<RData>) -> (MailHosts, Lifetime) {
        let mut hosts: Vec<MailHost> = data.iter().filter_map(mail_host).collect();
        // A null MX stands alone (RFC 7505 §3); beside others it names no host.
        hosts.retain(|host| !host.name.is_empty());
        if hosts.is_empty() {
            return (MailHosts::NullMx, Lifetime::LONGEST);
        }
        hosts.sort_by(|one, other| (one.preference, &one.name).cmp(&(other.preference, &other.name)));
        hosts.truncate(MOST_MX_HOSTS);
        let named = hosts.iter_mut().take(RESOLVED_MX_HOSTS).filter(|host| host.addresses.is_none());
        let lifetimes = futures_util::future::join_all(named.map(|host| self.resolve(host))).await;
        (MailHosts::Mx(hosts), lifetimes.into_iter().fold(Lifetime::LONGEST, Lifetime::and))
    }

    async fn resolve(&self, host: &mut MailHost) -> Lifetime {
        let name = format!("{}.", host.name);
        let (v4, v6) = tokio::join!(self.answer(&name, RecordType::A), self.answer(&name, RecordType::AAAA));
        let is_unknown = matches!((&v4, &v6), (Answer::Failed, _) | (_, Answer::Failed));
        let lifetime = if is_unknown { Lifetime::OF_GAPS } else { v4.lifetime().and(v6.lifetime()) };
        let found = addresses(&[v4, v6]);
        match found.is_empty() {
            true => host.addresses = if is_unknown { None } else { Some(Vec::new()) },
            false => host.addresses = Some(found),
        }
        if host.has_no_address() { Lifetime::OF_GAPS } else { lifetime }
    }

    async fn implicit(&self, name: &str) -> MailHosts {
        let (v4, v6) = tokio::join!(self.answer(name, RecordType::A), self.answer(name, RecordType::AAAA));
        let is_unknown = matches!((&v4, &v6), (Answer::Failed, _) | (_, Answer::Failed));
        let found = addresses(&[v4, v6]);
        match found.is_empty() {
            false => MailHosts::Implicit(found),
            true if is_unknown => MailHosts::TempError,
            true => MailHosts::NoMailHost,
        }
    }

    async fn answer(&self, name: &str, kind: RecordType) -> Answer {
        match self.resolver.lookup(name, kind).await {
            Ok(lookup) => Answer::of(lookup.answers(), kind),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Answer::NxDomain,
                // Who has no records says so with an SOA record (RFC 2308 §2.2), and hickory, which gives up on aliases that
                // go round in circles, without one.
                ResponseCode::NoError if none.soa.is_none() && self.is_alias(name).await => Answer::Failed,
                ResponseCode::NoError => Answer::NoRecords,
                _ => Answer::Failed,
            },
            Err(_) => Answer::Failed,
        }
    }

    async fn is_alias(&self, name: &str) -> bool {
        self.resolver.lookup(name, RecordType::CNAME).await.is_ok()
    }
}

impl Answer {
    /// Of the type that was asked for; they are good for as long as the aliases that led to them.
    fn of(records: &[Record], kind: RecordType) -> Self {
        let counts = |record: &&Record| [kind, RecordType::CNAME].contains(&record.record_type());
        let ttl = records.iter().filter(counts).map(|record| record.ttl).min().unwrap_or(0);
        let of_kind = records.iter().filter(|record| record.record_type() == kind);
        let data: Vec<RData> = of_kind.map(|record| record.data.clone()).collect();
        match data.is_empty() {
            true => Self::NoRecords,
            false => Self::Records { data, ttl: Duration::from_secs(u64::from(ttl)) },
        }
    }

    /// That one family of addresses is missing says little: most hosts have no IPv6.
    fn lifetime(&self) -> Lifetime {
        if let Self::Records { ttl, .. } = self { Lifetime::of_records(*ttl) } else { Lifetime::LONGEST }
    }
}

/// What cannot be the name of a host has no address, and nobody needs to ask.
fn mail_host(data: &RData) -> Option<MailHost> {
    let RData::MX(mx) = data else { return None };
    let mut name = host_name(&mx.exchange);
    let is_no_name = MOST_NAME_OCTETS < name.len() || name.parse::<IpAddr>().is_ok();
    // In ASCII every octet is a character.
    name.truncate(MOST_NAME_OCTETS);
    Some(MailHost { name, preference: mx.preference, addresses: is_no_name.then(Vec::new) })
}

fn name_server(data: &RData) -> Option<String> {
    let RData::NS(name) = data else { return None };
    Some(host_name(name)).filter(|name| name.len() <= MOST_NAME_OCTETS)
}

fn host_name(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn addresses(answers: &[Answer]) -> Vec<IpAddr> {
    let data =
        answers.iter().flat_map(|answer| if let Answer::Records { data, .. } = answer { data.as_slice() } else { &[] });
    data.filter_map(RData::ip_addr).take(MOST_ADDRESSES).collect()
}

/// `timeout` is for a query, which is sent up to three times within it. hickory bounds its cache in answers, not in octets,
/// and a message of 64 kB becomes 1 MB of records: whoever can bound what came of the answers keeps none of them.
///
/// # Errors
/// When the system's configuration cannot be read.
pub(super) fn resolver(server: NameServer, timeout: Duration, cached_answers: u64) -> Result<TokioResolver, NetError> {
    let (config, mut options) = match server {
        NameServer::System => read_system_conf()?,
        NameServer::At(address) => (only(address), ResolverOpts::default()),
    };
    options.timeout = timeout;
    // One: within its time hickory sends a query over UDP again.
    options.attempts = 0;
    options.cache_size = cached_answers;
    options.positive_max_ttl = Some(LONGEST_TTL);
    options.negative_max_ttl = Some(LONGEST_NEGATIVE_TTL);
    options.use_hosts_file = ResolveHosts::Never;
    // Names are given in full; a search list would let a typo be found inside our own network.
    options.ndots = 0;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
}

fn only(address: SocketAddr) -> ResolverConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    server.connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    ResolverConfig::from_parts(None, Vec::new(), vec![server])
}
