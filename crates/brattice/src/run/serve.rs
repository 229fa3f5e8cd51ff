//! `brattice serve`: from a bundle's path to a process that runs until it is told to stop.
//!
//! Lives here: signals and the process's end. Never: what is served.

use super::{Running, Source, log, start, with_causes};
use crate::config::Checked;
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves a bundle until the process is told to stop. What is wrong is written to standard error.
pub fn serve(config: &Path) -> ExitCode {
    let source = Source::at(config);
    let checked = match source.read() {
        Ok(checked) => checked,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::FAILURE;
        }
    };
    log::begin();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "there is nothing to run on");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(source, checked));
    runtime.shutdown_background();
    code
}

async fn run(source: Source, checked: Checked) -> ExitCode {
    let running = match start(source, checked).await {
        Ok(running) => running,
        Err(error) => {
            tracing::error!("the gateway cannot start: {}", with_causes(&error));
            return ExitCode::FAILURE;
        }
    };
    until_stopped(running).await
}

/// Says that it is ready, reloads at SIGHUP, and stops at SIGTERM or SIGINT; at a second one at once.
pub async fn until_stopped(running: Running) -> ExitCode {
    let signals = Signals::new();
    let mut signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be heard");
            running.stop().await;
            return ExitCode::FAILURE;
        }
    };
    let at = running.addresses;
    let text =
        |a: Option<std::net::SocketAddr>| a.map_or_else(|| "none".to_owned(), |a| a.to_string());
    tracing::info!(
        postgres = text(at.postgres),
        ssh = text(at.ssh),
        admin = %at.admin,
        metrics = text(at.metrics),
        revision = running.gateway.revision().0,
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    loop {
        tokio::select! {
            _ = signals.hangup.recv() => running.reload().await,
            () = stop_wanted(&mut signals.terminate, &mut signals.interrupt) => break,
        }
    }
    tokio::select! {
        () = running.stop() => ExitCode::SUCCESS,
        () = stop_wanted(&mut signals.terminate, &mut signals.interrupt) => {
            tracing::warn!("stopped at once, as asked twice; open sessions end as interrupted");
            ExitCode::FAILURE
        }
    }
}

async fn stop_wanted(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Only had, so that a file that may grow no further is an error to whoever writes it, and not the end of everybody.
    _file_size: Signal,
}

/// `SIGXFSZ` on Linux (signal(7); MIPS has another).
const FILE_SIZE: i32 = 25;

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_size: signal(SignalKind::from_raw(FILE_SIZE))?,
        })
    }
}
