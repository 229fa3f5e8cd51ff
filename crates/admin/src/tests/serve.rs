//! The listener: who is let in, who is cut off, and how it ends.

use super::world::*;
use crate::health::{self, Health};
use crate::metrics::Page;
use crate::serve::{Bounds, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

struct Fine;

impl Health for Fine {
    fn not_ready<'a>(&'a self) -> BoxFuture<'a, Vec<&'static str>> {
        Box::pin(async { vec!["store"] })
    }
    fn figures<'a>(&'a self, _: &'a mut Page) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

async fn started(bounds: Bounds) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(
        listener,
        None,
        health::router(Arc::new(Fine)),
        bounds,
        stopped,
    ));
    (address, stop, task)
}

async fn said(mut socket: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = socket.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

async fn ask(address: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

const GET: &str = "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn answers_and_says_what_is_not_ready() {
    let (address, _stop, _task) = started(Bounds::default()).await;
    let answer = said(ask(address, GET).await).await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.ends_with("not ready: store\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn cuts_off_who_does_not_finish_a_request() {
    let bounds = Bounds {
        head_max: Duration::from_millis(50),
        ..Bounds::default()
    };
    let (address, _stop, _task) = started(bounds).await;
    let slow = ask(address, "GET /readyz HTTP/1.1\r\nhost:").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), said(slow)).await;
    assert!(ended.is_ok(), "a slow request is held open");
}

#[tokio::test]
async fn a_connection_that_waits_for_nothing_makes_room_for_the_next() {
    let bounds = Bounds {
        connections_max: 1,
        ..Bounds::default()
    };
    let (address, _stop, _task) = started(bounds).await;
    let mut first = ask(address, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.unwrap();
    // Another one says nothing at all.
    let silent = TcpStream::connect(address).await.unwrap();
    let served = async {
        while !said(ask(address, GET).await).await.starts_with("HTTP/1.1") {
            tokio::task::yield_now().await;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(20), served).await;
    assert!(served.is_ok());
    assert_eq!(said(silent).await, "");
}

#[tokio::test]
async fn ends_in_order_when_told_to() {
    let (address, stop, task) = started(Bounds::default()).await;
    let idle = ask(address, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = idle;
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    stop.send(true).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
    assert!(
        ended.is_ok(),
        "an idle connection keeps the listener from ending"
    );
    assert!(TcpStream::connect(address).await.is_err());
}
