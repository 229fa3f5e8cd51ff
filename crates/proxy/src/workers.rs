//! The threads that sessions run on: each an event loop of its own, on which a session stays from its first byte to its
//! last.
//!
//! Lives here: starting them, and which of them a connection goes to. Never: what a connection does.
//!
//! A message wakes one thread, and nobody is woken to look for work that another could take: on a busy machine those
//! wake-ups cost more than the message.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads. Dropping this ends them, and with them what still runs on them.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Connections that it serves.
    load: Arc<AtomicUsize>,
    // The thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

/// One connection fewer on a worker, when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// One for each processor.
    ///
    /// # Errors
    /// When the operating system gives no thread or no event queue.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        (0..count)
            .map(Worker::start)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Serves a connection on the thread that has fewest of them.
    ///
    /// # Errors
    /// When the connection cannot be handed over; it is closed then.
    pub fn serve<F, Fut>(&self, stream: TcpStream, serve: F) -> io::Result<()>
    where
        F: FnOnce(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Some(worker) = self.0.iter().min_by_key(|w| w.load.load(Ordering::Relaxed)) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let place = Place(worker.load.clone());
        let stream = stream.into_std()?;
        worker.runtime.spawn(async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::warn!(%error, "a connection could not be served"),
            }
            drop(place);
        });
        Ok(())
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("sessions-{number}"))
            .spawn(move || {
                // An error is the sender's end: that is what is waited for.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            load: Arc::default(),
            _running: running,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn connections_are_spread_and_stay_on_their_thread() {
        let workers = Workers(vec![Worker::start(0).unwrap(), Worker::start(1).unwrap()]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(TcpStream::connect(address).await.unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            let tell = tell.clone();
            workers
                .serve(stream, move |stream| async move {
                    let here = || thread::current().name().map(str::to_owned);
                    let before = here();
                    stream.readable().await.unwrap();
                    tell.send((before, here())).unwrap();
                })
                .unwrap();
        }
        drop(clients);
        let mut seen: Vec<_> = told.iter().take(2).collect();
        seen.sort();
        let name = |n: usize| Some(format!("sessions-{n}"));
        assert_eq!(seen, [(name(0), name(0)), (name(1), name(1))]);
    }
}
