//! An HTTP server on 127.0.0.1 that lives as long as its handle.

use axum::Router;
use axum::serve::ListenerExt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Dropping it stops the server: no new connection is taken, idle ones are closed, a request under way is finished.
#[derive(Debug)]
pub(super) struct Loopback {
    address: SocketAddr,
    _running: oneshot::Sender<()>,
}

impl Loopback {
    /// Binds a free port. The future resolves once the handle is dropped.
    pub(super) async fn bind() -> io::Result<(Self, TcpListener, impl Future<Output = ()> + Send + 'static)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (running, dropped) = oneshot::channel();
        let loopback = Self { address: listener.local_addr()?, _running: running };
        let dropped = async move {
            let _: Result<(), _> = dropped.await;
        };
        Ok((loopback, listener, dropped))
    }

    pub(super) async fn serve(router: Router) -> io::Result<Self> {
        let (loopback, listener, dropped) = Self::bind().await?;
        // Without this, an answer in two segments waits for the delayed acknowledgement of the first (40 ms).
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(dropped).await });
        Ok(loopback)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
