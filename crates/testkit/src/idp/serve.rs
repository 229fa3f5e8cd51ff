//! The provider's documents over HTTP/1.1, one request a connection.
//!
//! Here live answering and counting. Nothing here is meant to be a good server.

use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// What a path answers.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    hangs: bool,
}

impl Answer {
    /// 200 with this document.
    pub fn json(document: &Value) -> Self {
        Self::text(&document.to_string())
    }
    /// 200 with this body, whatever it is.
    pub fn text(body: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.as_bytes().to_vec(),
            hangs: false,
        }
    }
    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            hangs: false,
        }
    }
    /// Sends the caller elsewhere.
    pub fn redirect(to: &str) -> Self {
        Self {
            headers: vec![("location".into(), to.into())],
            ..Self::status(302)
        }
    }
    /// Takes the request and never answers.
    pub fn never() -> Self {
        Self {
            hangs: true,
            ..Self::status(200)
        }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub answers: HashMap<String, Answer>,
    pub fetches: HashMap<String, usize>,
    pub down: bool,
}

pub(super) async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match tls {
                None => answer(stream, state).await,
                Some(tls) => answer(tls.accept(stream).await?, state).await,
            }
        });
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: Arc<Mutex<State>>,
) -> std::io::Result<()> {
    let Some(path) = read_path(&mut stream).await? else {
        return Ok(());
    };
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        *state.fetches.entry(path.clone()).or_default() += 1;
        if state.down {
            return Ok(());
        }
        state
            .answers
            .get(&path)
            .cloned()
            .unwrap_or_else(|| Answer::status(404))
    };
    if answer.hangs {
        return std::future::pending().await;
    }
    let mut head = format!(
        "HTTP/1.1 {} Answer\r\nconnection: close\r\ncontent-length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    stream.shutdown().await
}

/// The path of the request line, once the whole head was read.
async fn read_path<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut chunk).await?;
        if n == 0 || head.len() + n > REQUEST_BYTES_MAX {
            return Ok(None);
        }
        head.extend_from_slice(chunk.get(..n).unwrap_or_default());
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    Ok(Some(path.split('?').next().unwrap_or_default().to_owned()))
}
