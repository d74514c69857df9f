//! Questions to DNS. Every one has a deadline, and no answer is ever an error of ours: it is a finding.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType},
    },
    system_conf::read_system_conf,
};

use crate::{
    address::Domain,
    mail_hosts::{Hosts, MailHost, MailHosts},
};

/// More MX hosts than this are not reported: a verdict does not get better, and a zone could name thousands.
const MOST_MX_HOSTS: usize = 20;

/// Name servers that are looked at.
const MOST_NAME_SERVERS: usize = 8;

/// So many of the most preferred MX hosts are resolved, to tell whether any can be reached from the internet.
const RESOLVED_MX_HOSTS: usize = 3;

/// Answers that one instance keeps.
const CACHED_ANSWERS: u64 = 10_000;

/// No answer is believed for longer than this, whatever its TTL says.
const LONGEST_TTL: Duration = Duration::from_secs(3_600);

/// "No such name" and its like are asked again after this: somebody may just have set the domain up.
const LONGEST_NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    /// As the operating system is configured.
    System,
    /// This server, over UDP with TCP for what does not fit.
    At(SocketAddr),
}

/// Whether the name servers of a domain are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

enum Answer {
    Records(Vec<RData>),
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
        Ok(Self { resolver: resolver(server, timeout)?, deadline: timeout * 3 })
    }

    /// Mail hosts, and when asked for, the name servers of the domain at the same time. At most 10 queries: MX, NS, and
    /// A and AAAA of three mail hosts, or of the domain itself.
    pub async fn hosts(&self, domain: &Domain, name_servers: NameServers) -> Hosts {
        match name_servers {
            NameServers::Omitted => self.mail_hosts(domain).await.into(),
            NameServers::Wanted => {
                let (mail, name_servers) = tokio::join!(self.mail_hosts(domain), self.name_servers(domain));
                Hosts { mail, name_servers }
            }
        }
    }

    async fn name_servers(&self, domain: &Domain) -> Vec<String> {
        let name = format!("{}.", domain.as_str());
        let answer = tokio::time::timeout(self.deadline, self.answer(&name, RecordType::NS)).await;
        let Ok(Answer::Records(records)) = answer else { return Vec::new() };
        records.iter().take(MOST_NAME_SERVERS).filter_map(name_server).collect()
    }

    /// MX, null MX, or the implicit MX of an address record (RFC 5321 §5.1, RFC 7505).
    pub async fn mail_hosts(&self, domain: &Domain) -> MailHosts {
        let name = format!("{}.", domain.as_str());
        let question = async {
            match self.answer(&name, RecordType::MX).await {
                Answer::Records(records) => self.explicit(records).await,
                Answer::NoRecords => self.implicit(&name).await,
                Answer::NxDomain => MailHosts::NxDomain,
                Answer::Failed => MailHosts::TempError,
            }
        };
        tokio::time::timeout(self.deadline, question).await.unwrap_or(MailHosts::TempError)
    }

    async fn explicit(&self, records: Vec<RData>) -> MailHosts {
        let mut hosts: Vec<MailHost> = records.into_iter().filter_map(mail_host).collect();
        hosts.sort_by(|one, other| (one.preference, &one.name).cmp(&(other.preference, &other.name)));
        hosts.truncate(MOST_MX_HOSTS);
        match hosts.as_slice() {
            [] => return MailHosts::NoMailHost,
            [only] if only.name.is_empty() => return MailHosts::NullMx,
            _ => {}
        }
        let lookups = hosts.iter_mut().take(RESOLVED_MX_HOSTS).map(|host| self.resolve(host));
        futures_util::future::join_all(lookups).await;
        MailHosts::Mx(hosts)
    }

    async fn resolve(&self, host: &mut MailHost) {
        let name = format!("{}.", host.name);
        let (v4, v6) = tokio::join!(self.answer(&name, RecordType::A), self.answer(&name, RecordType::AAAA));
        host.addresses = addresses(v4);
        host.addresses.extend(addresses(v6));
    }

    async fn implicit(&self, name: &str) -> MailHosts {
        let (v4, v6) = tokio::join!(self.answer(name, RecordType::A), self.answer(name, RecordType::AAAA));
        let is_unknown = matches!((&v4, &v6), (Answer::Failed, _) | (_, Answer::Failed));
        let mut found = addresses(v4);
        found.extend(addresses(v6));
        match found.is_empty() {
            false => MailHosts::Implicit(found),
            true if is_unknown => MailHosts::TempError,
            true => MailHosts::NoMailHost,
        }
    }

    async fn answer(&self, name: &str, kind: RecordType) -> Answer {
        match self.resolver.lookup(name, kind).await {
            Ok(lookup) => {
                let records = lookup.answers().iter().filter(|record| record.record_type() == kind);
                let records: Vec<RData> = records.map(|record| record.data.clone()).collect();
                if records.is_empty() { Answer::NoRecords } else { Answer::Records(records) }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Answer::NxDomain,
                ResponseCode::NoError => Answer::NoRecords,
                _ => Answer::Failed,
            },
            Err(_) => Answer::Failed,
        }
    }
}

fn mail_host(record: RData) -> Option<MailHost> {
    let RData::MX(mx) = record else { return None };
    let name = mx.exchange.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    Some(MailHost { name, preference: mx.preference, addresses: Vec::new() })
}

fn name_server(record: &RData) -> Option<String> {
    let RData::NS(name) = record else { return None };
    Some(name.to_ascii().trim_end_matches('.').to_ascii_lowercase())
}

fn addresses(answer: Answer) -> Vec<IpAddr> {
    let Answer::Records(records) = answer else { return Vec::new() };
    records.iter().filter_map(RData::ip_addr).collect()
}

/// A resolver with a cache of its own. `timeout` is for a query, which is sent up to three times within it.
///
/// # Errors
/// When the system's configuration cannot be read.
pub(super) fn resolver(server: NameServer, timeout: Duration) -> Result<TokioResolver, NetError> {
    let (config, mut options) = match server {
        NameServer::System => read_system_conf()?,
        NameServer::At(address) => (only(address), ResolverOpts::default()),
    };
    options.timeout = timeout;
    // One: within its time hickory sends a query over UDP again.
    options.attempts = 0;
    options.cache_size = CACHED_ANSWERS;
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
