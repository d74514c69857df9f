//! A name server on loopback: some names from data, everything else from the system's resolver.

mod master_file;
mod responder;
mod zone;

pub use zone::{Fault, Zone, ZoneError};

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::op::{Message, ResponseCode};
use responder::{Responder, Response, with_code};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What is answered from data by default: names that no one else can answer for (RFC 2606, RFC 6761), and the
/// reverse names of the documentation networks (RFC 5737, RFC 3849; served locally as in RFC 6303 §4).
pub const RESERVED: &[&str] = &[
    "example",
    "example.com",
    "example.net",
    "example.org",
    "test",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];

/// What fits through most networks in one UDP datagram (DNS flag day 2020).
const MAX_UDP_OCTETS: u16 = 1232;
/// Without EDNS (RFC 1035 §4.2.1).
const MIN_UDP_OCTETS: u16 = 512;
const MAX_QUERY_OCTETS: usize = 4096;
/// Questions that wait for the system's resolver at a time; one more fails at once.
const MAX_FORWARDED: usize = 128;
const FORWARD_DEADLINE: Duration = Duration::from_secs(2);
const MAX_CONNECTIONS: usize = 64;
/// A TCP connection without a question for this long is closed (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(10);
const BIND_ATTEMPTS: usize = 16;

/// A running server, UDP and TCP on the same port of 127.0.0.1. Stops when dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// Answers `suffixes` (everything, if there is none) from the zone text, the rest from the system's resolver, or
    /// with SERVFAIL on a system without a usable one. For the text's form see [`Zone::parse`].
    ///
    /// # Errors
    /// When the text is not a zone, or no port can be bound.
    pub async fn start(zone_text: &str, suffixes: &[&str]) -> io::Result<Self> {
        let zone = Zone::parse(zone_text, suffixes).map_err(io::Error::other)?;
        let system = if suffixes.is_empty() { None } else { system_resolver() };
        Self::start_with(zone, system).await
    }

    /// Answers from `zone`, and through `elsewhere` for names that the zone has no authority over.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start_with(zone: Zone, elsewhere: Option<TokioResolver>) -> io::Result<Self> {
        let (udp, tcp) = bind().await?;
        let address = udp.local_addr()?;
        let responder = Arc::new(Responder::new(zone, elsewhere));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(Arc::new(udp), Arc::clone(&responder)));
        tasks.spawn(serve_tcp(tcp, responder));
        Ok(Self { address, _tasks: tasks })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = 0;
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        attempts += 1;
        // The port may be taken for TCP alone.
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if attempts == BIND_ATTEMPTS => return Err(error),
            Err(_) => {}
        }
    }
}

fn system_resolver() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().ok()?;
    builder.options_mut().timeout = FORWARD_DEADLINE / 2;
    builder.build().ok()
}

async fn serve_udp(socket: Arc<UdpSocket>, responder: Arc<Responder>) {
    let mut pending = JoinSet::new();
    let mut packet = [0; MAX_QUERY_OCTETS];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut packet).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        while pending.try_join_next().is_some() {}
        let query = packet.get(..length).unwrap_or_default();
        let limit = udp_limit(query);
        match responder.respond(query) {
            Response::Ready(message) => send(&socket, client, &message, limit).await,
            Response::Silence => {}
            Response::Forward { so_far, .. } if MAX_FORWARDED <= pending.len() => {
                send(&socket, client, &with_code(so_far, ResponseCode::ServFail), limit).await;
            }
            Response::Forward { so_far, name, record_type } => {
                let (socket, responder) = (Arc::clone(&socket), Arc::clone(&responder));
                pending.spawn(async move {
                    let message = responder.forward(so_far, name, record_type).await;
                    send(&socket, client, &message, limit).await;
                });
            }
        }
    }
}

/// What the client says it can take, within what is reasonable.
fn udp_limit(query: &[u8]) -> usize {
    let edns = Message::from_vec(query).ok().and_then(|query| query.edns);
    let payload = edns.map_or(MIN_UDP_OCTETS, |edns| edns.max_payload());
    usize::from(payload.clamp(MIN_UDP_OCTETS, MAX_UDP_OCTETS))
}

async fn send(socket: &UdpSocket, client: SocketAddr, message: &Message, limit: usize) {
    if let Some(packet) = encoded(message, limit) {
        // A client that went away is no concern of ours.
        let _ = socket.send_to(&packet, client).await;
    }
}

/// The message in wire form; only its question, with the TC bit set, if that is over the limit (RFC 2181 §9).
fn encoded(message: &Message, limit: usize) -> Option<Vec<u8>> {
    let whole = message.to_vec().ok().filter(|packet| packet.len() <= limit);
    whole.or_else(|| message.truncate().to_vec().ok())
}

async fn serve_tcp(listener: TcpListener, responder: Arc<Responder>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if MAX_CONNECTIONS <= connections.len() {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((connection, _)) => {
                let responder = Arc::clone(&responder);
                connections.spawn(async move {
                    // The connection ends with the client, after `IDLE`, or at the first thing that is not DNS.
                    let _ = serve_connection(connection, &responder).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(mut connection: TcpStream, responder: &Responder) -> io::Result<()> {
    connection.set_nodelay(true)?;
    loop {
        let query = in_time(read_query(&mut connection)).await?;
        let Some(message) = responder.finish(responder.respond(&query)).await else { continue };
        let Some(packet) = encoded(&message, usize::from(u16::MAX)) else { continue };
        let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &packet].concat();
        in_time(connection.write_all(&framed)).await?;
    }
}

async fn read_query(connection: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(connection.read_u16().await?);
    if MAX_QUERY_OCTETS < length {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut query = vec![0; length];
    connection.read_exact(&mut query).await?;
    Ok(query)
}

async fn in_time<T>(transfer: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(IDLE, transfer).await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::Resolver;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::net::{DnsError, NetError};
    use hickory_resolver::proto::op::{Edns, Query};
    use hickory_resolver::proto::rr::{Name, RecordType};
    use std::fmt::Write;

    const TEXT: &str = r"
example.com.          300 IN MX 10 mx.example.com.
mx.example.com.       300 IN A 192.0.2.1
away.example.com.     300 IN CNAME host.elsewhere.example.
;behaviour slow.example.com. * timeout
;behaviour broken.example.com. * servfail
";

    async fn served(text: &str, suffixes: &[&str], elsewhere: Option<TokioResolver>) -> NameServer {
        let zone = Zone::parse(text, suffixes).expect("the text is a zone");
        NameServer::start_with(zone, elsewhere).await.expect("the server starts")
    }

    /// A stub resolver that knows no other server than this.
    fn resolver(server: &NameServer) -> TokioResolver {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.address().port();
            connection
        });
        let name_server = NameServerConfig::new(server.address().ip(), true, connections.into());
        let config = ResolverConfig::from_name_servers(vec![name_server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_millis(200);
        builder.options_mut().attempts = 0;
        builder.build().expect("the resolver can be built")
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    /// The response code and the answers' data.
    async fn ask(resolver: &TokioResolver, of: &str, record_type: RecordType) -> (ResponseCode, Vec<String>) {
        match resolver.lookup(name(of), record_type).await {
            Ok(found) => {
                (ResponseCode::NoError, found.answers().iter().map(|record| record.data.to_string()).collect())
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => (none.response_code, Vec::new()),
            Err(NetError::Dns(DnsError::ResponseCode(code))) => (code, Vec::new()),
            Err(error) => panic!("{of}: {error}"),
        }
    }

    fn found(data: &[&str]) -> (ResponseCode, Vec<String>) {
        (ResponseCode::NoError, data.iter().map(ToString::to_string).collect())
    }

    /// What the server answers to one datagram.
    async fn datagram(server: &NameServer, query: &[u8]) -> Message {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        socket.send_to(query, server.address()).await.expect("it is sent");
        let mut packet = [0; 2048];
        let length =
            timeout(Duration::from_secs(2), socket.recv(&mut packet)).await.expect("in time").expect("it answers");
        Message::from_vec(&packet[..length]).expect("the answer is DNS")
    }

    #[tokio::test]
    async fn a_resolver_is_told_records_their_absence_and_failures() {
        let server = served(TEXT, &["example.com"], None).await;
        let resolver = resolver(&server);
        for (of, record_type, expected) in [
            ("example.com.", RecordType::MX, found(&["10 mx.example.com."])),
            ("example.com.", RecordType::TXT, found(&[])),
            ("none.example.com.", RecordType::A, (ResponseCode::NXDomain, Vec::new())),
            ("broken.example.com.", RecordType::A, (ResponseCode::ServFail, Vec::new())),
            ("elsewhere.example.", RecordType::A, (ResponseCode::ServFail, Vec::new())),
        ] {
            assert_eq!(ask(&resolver, of, record_type).await, expected, "{of}");
        }
        let negative = resolver.lookup(name("none.example.com."), RecordType::A).await.expect_err("no such name");
        let NetError::Dns(DnsError::NoRecordsFound(none)) = negative else { panic!("{negative}") };
        assert_eq!(none.negative_ttl, Some(60));
    }

    #[tokio::test]
    async fn a_question_that_is_to_time_out_does() {
        let server = served(TEXT, &["example.com"], None).await;
        let late = resolver(&server).lookup(name("slow.example.com."), RecordType::A).await.expect_err("no answer");
        assert!(matches!(late, NetError::Timeout), "{late}");
    }

    #[tokio::test]
    async fn what_does_not_fit_a_datagram_comes_over_tcp() {
        let mut text = String::new();
        for number in 0..20 {
            writeln!(text, "big.example.com. TXT \"{number:0>200}\"").expect("a string takes all");
        }
        let server = served(&text, &[], None).await;
        let mut query = Message::query();
        query.add_query(Query::query(name("big.example.com."), RecordType::TXT));
        let truncated = datagram(&server, &query.to_vec().expect("it can be encoded")).await;
        assert!(truncated.metadata.truncation);
        assert_eq!(truncated.answers, []);
        let found = resolver(&server).lookup(name("big.example.com."), RecordType::TXT).await.expect("over TCP");
        assert_eq!(found.answers().len(), 20);
    }

    #[tokio::test]
    async fn a_datagram_holds_512_octets_without_edns_and_1232_with() {
        let text = format!("a.test. TXT \"{}\" \"{}\" \"{}\"", "x".repeat(250), "y".repeat(250), "z".repeat(250));
        let server = served(&text, &[], None).await;
        let mut query = Message::query();
        query.add_query(Query::query(name("a.test."), RecordType::TXT));
        assert!(datagram(&server, &query.to_vec().expect("it can be encoded")).await.metadata.truncation);
        query.set_edns(Edns::new());
        query.edns.as_mut().expect("just set").set_max_payload(4096);
        let whole = datagram(&server, &query.to_vec().expect("it can be encoded")).await;
        assert_eq!((whole.metadata.truncation, whole.answers.len()), (false, 1));
        assert_eq!(whole.edns.map(|edns| edns.max_payload()), Some(1232));
    }

    #[tokio::test]
    async fn names_of_others_are_asked_elsewhere() {
        let elsewhere = "host.elsewhere.example. A 192.0.2.9\n;behaviour slow.example. * timeout";
        let other = served(elsewhere, &[], None).await;
        let server = served(TEXT, &["example.com"], Some(resolver(&other))).await;
        let resolver = resolver(&server);
        for (of, expected) in [
            ("host.elsewhere.example.", found(&["192.0.2.9"])),
            ("away.example.com.", found(&["host.elsewhere.example.", "192.0.2.9"])),
            ("elsewhere.example.", found(&[])),
            ("none.example.", (ResponseCode::NXDomain, Vec::new())),
        ] {
            assert_eq!(ask(&resolver, of, RecordType::A).await, expected, "{of}");
        }
    }

    #[tokio::test]
    async fn what_is_not_a_proper_query_is_refused_by_name() {
        let server = served(TEXT, &["example.com"], None).await;
        let header = |flags: u8, questions: u8| [0, 7, flags, 0, 0, questions, 0, 0, 0, 0, 0, 0].to_vec();
        let chaos = [header(0, 1), b"\x07version\x04bind\x00\x00\x10\x00\x03".to_vec()].concat();
        for (packet, expected) in [
            (vec![0, 7, 0], ResponseCode::FormErr),
            ([header(0, 1), vec![0xc0, 12]].concat(), ResponseCode::FormErr),
            (header(0, 0), ResponseCode::FormErr),
            (header(0x20, 0), ResponseCode::NotImp),
            (chaos, ResponseCode::Refused),
        ] {
            let answer = datagram(&server, &packet).await;
            assert_eq!((answer.metadata.id, answer.metadata.response_code), (7, expected), "{packet:?}");
        }
    }

    #[tokio::test]
    async fn a_dropped_server_frees_its_port() {
        let server = served(TEXT, &[], None).await;
        let address = server.address();
        drop(server);
        tokio::time::sleep(Duration::from_millis(50)).await;
        UdpSocket::bind(address).await.expect("the port is free for UDP");
        TcpListener::bind(address).await.expect("the port is free for TCP");
    }
}
