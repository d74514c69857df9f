//! The way to a name server, which can fail and lie.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::watch,
    time::{sleep, timeout},
};

/// How answers of DNS fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DnsFault {
    None,
    Slow(Duration),
    Silent,
    /// SERVFAIL to everything.
    Failing,
    /// Nothing over UDP but that there is more over TCP.
    Truncated,
    /// The same, and nothing over TCP either.
    TruncatedForGood,
    /// A datagram that ends in the middle of a record; over TCP, less than was announced.
    CutShort,
    /// More records announced than there are.
    LyingCounts,
    /// A record that is said to be longer than the message.
    LyingLengths,
    Garbage,
    /// Somebody who guesses answers first that the name does not exist, and does not know the id.
    Forged,
}

/// Room for any answer over UDP.
const MAX_DATAGRAM: usize = 65_535;
/// The server is on loopback: what it does not answer by then it does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets before the question.
const HEADER: usize = 12;

/// UDP and TCP on one port of its own.
pub(crate) struct NameServerProxy {
    address: SocketAddr,
    fault: watch::Sender<DnsFault>,
    faulty: Arc<AtomicUsize>,
}

impl NameServerProxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let (udp, tcp) = bind().await;
        let address = udp.local_addr().expect("bound");
        let (fault, watched) = watch::channel(DnsFault::None);
        let faulty = Arc::default();
        tokio::spawn(serve_udp(Arc::new(udp), target, watched.clone(), Arc::clone(&faulty)));
        tokio::spawn(serve_tcp(tcp, target, watched));
        Self { address, fault, faulty }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, fault: DnsFault) {
        self.fault.send_replace(fault);
    }

    /// Questions over UDP that met a fault.
    pub(crate) fn faulty(&self) -> usize {
        self.faulty.load(Ordering::Relaxed)
    }
}

async fn bind() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        // The port may be taken for TCP alone.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(
    socket: Arc<UdpSocket>,
    target: SocketAddr,
    fault: watch::Receiver<DnsFault>,
    faulty: Arc<AtomicUsize>,
) {
    let mut packet = vec![0; MAX_DATAGRAM];
    while let Ok((length, client)) = socket.recv_from(&mut packet).await {
        let fault = *fault.borrow();
        faulty.fetch_add(usize::from(fault != DnsFault::None), Ordering::Relaxed);
        let (socket, query) = (Arc::clone(&socket), packet[..length].to_vec());
        tokio::spawn(async move {
            let Ok(Ok(answer)) = timeout(PATIENCE, ask(target, &query)).await else { return };
            if let DnsFault::Slow(pause) = fault {
                sleep(pause).await;
            }
            for datagram in spoilt(answer, fault) {
                // A client that is gone does not miss it.
                let _ = socket.send_to(&datagram, client).await;
            }
        });
    }
}

async fn ask(target: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(target).await?;
    socket.send(query).await?;
    let mut answer = vec![0; MAX_DATAGRAM];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

/// The datagrams that come instead of an answer.
fn spoilt(mut answer: Vec<u8>, fault: DnsFault) -> Vec<Vec<u8>> {
    let records = question_end(&answer);
    match fault {
        DnsFault::None | DnsFault::Slow(_) => {}
        DnsFault::Silent => return Vec::new(),
        DnsFault::Failing => {
            without_records(&mut answer);
            answer[3] = (answer[3] & 0xf0) | 2;
        }
        DnsFault::Truncated | DnsFault::TruncatedForGood => {
            without_records(&mut answer);
            answer[2] |= 2;
        }
        DnsFault::CutShort => answer.truncate((records + answer.len()) / 2),
        DnsFault::LyingCounts => answer[6..8].fill(0xff),
        DnsFault::LyingLengths => lengthen(&mut answer, records),
        DnsFault::Garbage => answer.iter_mut().skip(2).for_each(|octet| *octet = octet.rotate_left(3) ^ 0xa5),
        DnsFault::Forged => return vec![forged(&answer), answer],
    }
    vec![answer]
}

/// The first octet after the question.
fn question_end(message: &[u8]) -> usize {
    let mut at = HEADER;
    while at < message.len() && message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    (at + 5).min(message.len())
}

fn without_records(message: &mut Vec<u8>) {
    message.truncate(question_end(message));
    message[6..HEADER].fill(0);
}

/// Of the first record, whose name is a pointer or in full.
fn lengthen(message: &mut [u8], record: usize) {
    let mut at = record;
    while at < message.len() && message[at] != 0 && message[at] & 0xc0 == 0 {
        at += 1 + usize::from(message[at]);
    }
    let name_ends = at + if message.get(at).is_some_and(|octet| octet & 0xc0 != 0) { 2 } else { 1 };
    if let Some(length) = message.get_mut(name_ends + 8..name_ends + 10) {
        length.fill(0xff);
    }
}

/// That there is no such name, in an answer to another question.
fn forged(answer: &[u8]) -> Vec<u8> {
    let mut forged = answer.to_vec();
    without_records(&mut forged);
    forged[1] = forged[1].wrapping_add(1);
    forged[3] = (forged[3] & 0xf0) | 3;
    forged
}

async fn serve_tcp(listener: TcpListener, target: SocketAddr, fault: watch::Receiver<DnsFault>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut fault = fault.clone();
        tokio::spawn(async move {
            let now = *fault.borrow_and_update();
            tokio::select! {
                _ = fault.changed() => Ok(()),
                ended = relay(client, target, now) => ended,
            }
        });
    }
}

async fn relay(mut client: TcpStream, target: SocketAddr, fault: DnsFault) -> io::Result<()> {
    match fault {
        DnsFault::None | DnsFault::Slow(_) | DnsFault::Truncated | DnsFault::Forged => {
            copy_bidirectional(&mut client, &mut TcpStream::connect(target).await?).await.map(drop)
        }
        DnsFault::Silent | DnsFault::TruncatedForGood => std::future::pending().await,
        DnsFault::Failing => Ok(()),
        DnsFault::CutShort | DnsFault::LyingCounts | DnsFault::LyingLengths | DnsFault::Garbage => {
            announce_too_much(client, target).await
        }
    }
}

/// An answer behind a length that is twice its own.
async fn announce_too_much(mut client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    let query = message(&mut client).await?;
    server.write_all(&query).await?;
    let mut answer = message(&mut server).await?;
    let announced = u16::try_from(2 * answer.len()).unwrap_or(u16::MAX);
    answer[..2].copy_from_slice(&announced.to_be_bytes());
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// With its length before it (RFC 1035 §4.2.2).
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(2 + usize::from(length), 0);
    stream.read_exact(&mut message[2..]).await?;
    Ok(message)
}
