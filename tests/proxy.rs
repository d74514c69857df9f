//! The way to an endpoint of plain HTTP, which can fail in the manner of networks and of AWS.

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
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

/// How an endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Takes connections and closes them without a word.
    Close,
    /// Takes requests and never answers.
    Hang,
    /// Does nothing of what it is asked, and says so.
    Answer(&'static Refusal),
    /// Does what it is asked and loses the answer.
    LoseAnswers,
    /// Does what it is asked, and keeps the answer back until the fault ends.
    HoldAnswers,
    /// Does what it is asked, and lets so much time pass before each piece of the answer.
    Slow(Duration),
    /// Does what it is asked, and loses all but so many octets of the answer, its head included.
    Truncate(u64),
}

/// An answer of AWS that is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: &'static str,
}

/// The table has no throughput left.
pub(crate) const THROTTLED: Refusal = Refusal {
    status: "400 Bad Request",
    content_type: "application/x-amz-json-1.0",
    body: r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"dynamodb:gatepost partition 7 of table"}"#,
};

/// The partition of this key has none left.
pub(crate) const KEY_THROTTLED: Refusal = Refusal {
    status: "400 Bad Request",
    content_type: "application/x-amz-json-1.0",
    body: r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Throughput exceeds the current capacity","throttlingReasons":[{"reason":"TableWriteKeyRangeThroughputExceeded","resource":"arn:aws:dynamodb:us-east-1:000000000000:table/gatepost"}]}"#,
};

/// An address of its own that leads to an endpoint.
pub(crate) struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    connections: Arc<AtomicUsize>,
    faulty: Arc<AtomicUsize>,
}

impl Proxy {
    /// To `target`, which is `http://ADDR:PORT`. Nothing fails yet.
    pub(crate) async fn start(target: &str) -> Self {
        let target = target.strip_prefix("http://").expect("plain HTTP").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (fault, watched) = watch::channel(Fault::None);
        let (connections, faulty) = (Arc::default(), Arc::default());
        tokio::spawn(accept(listener, target, watched, Arc::clone(&connections), Arc::clone(&faulty)));
        Self { address, fault, connections, faulty }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that are open break, with whatever is under way on them.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Connections that came so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Those of them that met a fault, or were broken by the beginning or the end of one.
    pub(crate) fn faulty(&self) -> usize {
        self.faulty.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    fault: watch::Receiver<Fault>,
    connections: Arc<AtomicUsize>,
    faulty: Arc<AtomicUsize>,
) {
    while let Ok((client, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let (mut fault, faulty) = (fault.clone(), Arc::clone(&faulty));
        tokio::spawn(async move {
            let now = *fault.borrow_and_update();
            if now != Fault::None {
                faulty.fetch_add(1, Ordering::Relaxed);
            }
            if now == Fault::HoldAnswers {
                return hold_answer(client, target, fault).await;
            }
            tokio::select! {
                changed = fault.changed() => {
                    faulty.fetch_add(usize::from(changed.is_ok() && now == Fault::None), Ordering::Relaxed);
                    Ok(())
                }
                ended = relay(client, target, now) => ended,
            }
        });
    }
}

async fn relay(mut client: TcpStream, target: SocketAddr, fault: Fault) -> io::Result<()> {
    client.set_nodelay(true)?;
    match fault {
        Fault::None => {
            let mut server = connect(target).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        Fault::Close => Ok(()),
        Fault::Hang => std::future::pending().await,
        Fault::Answer(refusal) => refuse(client, refusal).await,
        Fault::LoseAnswers | Fault::HoldAnswers => until_answered(&mut client, &mut connect(target).await?).await,
        Fault::Slow(pause) => slowly(client, connect(target).await?, pause).await,
        Fault::Truncate(octets) => truncated(client, connect(target).await?, octets).await,
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

async fn refuse(mut client: TcpStream, refusal: &Refusal) -> io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let Refusal { status, content_type, body } = refusal;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    client.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    client.shutdown().await
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|octets| octets == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    end + 4 + length.unwrap_or(0_usize) <= request.len()
}

async fn hold_answer(mut client: TcpStream, target: SocketAddr, mut fault: watch::Receiver<Fault>) -> io::Result<()> {
    let mut server = connect(target).await?;
    until_answered(&mut client, &mut server).await?;
    if fault.changed().await.is_err() {
        return Ok(());
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Sends what the client says until the server has something to say, which stays unread.
async fn until_answered(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0];
    let (mut from_server, mut to_server) = server.split();
    tokio::select! {
        sent = copy(client, &mut to_server) => sent.map(drop),
        answered = from_server.peek(&mut answer) => answered.map(drop),
    }
}

async fn slowly(client: TcpStream, server: TcpStream, pause: Duration) -> io::Result<()> {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::try_join!(copy(&mut from_client, &mut to_server), piece_by_piece(from_server, to_client, pause)).map(drop)
}

async fn piece_by_piece(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pause: Duration,
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        sleep(pause).await;
        to.write_all(&piece[..length]).await?;
    }
}

async fn truncated(client: TcpStream, server: TcpStream, octets: u64) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut answer = from_server.take(octets);
    tokio::select! {
        sent = copy(&mut from_client, &mut to_server) => sent.map(drop),
        cut = copy(&mut answer, &mut to_client) => cut.map(drop),
    }
}
