//! `brattice dev`: a whole gateway on this machine for trying out, with a provider of its own in place of a real one.
//!
//! Lives here: what stands in for what, in which order it starts, and what to type next. Never: anything that `serve`
//! uses; any address but loopback; a secret outside the state directory.

mod certificate;
mod parties;
mod replace;
mod state;
mod target;
mod tell;
mod token;

#[cfg(test)]
mod tests;

pub use target::WRITTEN;
pub use token::token;

use crate::config::Report;
use crate::dev_issuer::{DevIssuer, DevIssuerError};
use crate::run::{self, Source, StartError, SystemClock, SystemRandomness, with_causes};
use brattice_core::time::Clock;
use replace::Stage;
use state::State;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Where the state is kept, unless told otherwise.
pub const STATE: &str = ".brattice/dev";

/// What to try out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bundle: its directory, or its brattice.toml.
    pub config: Option<PathBuf>,
    /// A database to stand in front of, with the rules of the example.
    pub target_url: Option<String>,
    /// The port for agents, if another than usual.
    pub port: Option<u16>,
    /// The port of the REST API, if another than usual.
    pub api_port: Option<u16>,
    /// Where keys, secrets and records of trying out are kept.
    pub state: PathBuf,
}

/// Why trying out does not work.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// Neither a bundle nor a database.
    #[error(
        "there is nothing to try: give --config with a bundle's directory (e.g. examples/orders), or --target-url with a \
         database (e.g. postgres://app@127.0.0.1/app)"
    )]
    Nothing,
    /// The address of the database cannot be used.
    #[error("--target-url: {0}")]
    TargetUrl(String),
    /// The bundle cannot be tried.
    #[error("{}: {why}", path.display())]
    Bundle {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The bundle is wrong.
    #[error("{0}")]
    Report(#[from] Report),
    /// A file of the state directory cannot be used.
    #[error("{} cannot be used: {cause}", path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// There is no free port.
    #[error("no free port could be found: {0}")]
    Port(String),
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Certificate(String),
    /// The provider cannot run.
    #[error("the identity provider: {0}")]
    Issuer(#[from] DevIssuerError),
    /// The gateway cannot start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// Nothing runs in this state directory.
    #[error("`brattice dev` does not run with the state in {}; start it first", .0.display())]
    NotRunning(PathBuf),
    /// Nobody of this name.
    #[error("there is no `{name}` here; there are: {known}")]
    Nobody {
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The provider gave no token.
    #[error("no token: {0}")]
    NoToken(String),
}

/// Writes an authority's certificate, and this machine's with its key, for tests.
#[cfg(test)]
pub(crate) fn certificate_files(dir: &Path) -> Result<(), DevError> {
    certificate::write(&State::at(dir)?, SystemClock.now())
}

/// Runs until the process is told to stop. What is wrong is written to standard error.
pub fn run(options: &Options) -> ExitCode {
    run::log::begin();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("there is nothing to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(try_out(options)).unwrap_or_else(|error| {
        eprintln!("{}", with_causes(&error));
        ExitCode::FAILURE
    });
    runtime.shutdown_background();
    code
}

async fn try_out(options: &Options) -> Result<ExitCode, DevError> {
    let state = State::open(&options.state)?;
    let root = root(options, &state)?;
    let stage = Stage::of(&root)?.at(options.port, options.api_port)?;
    let setup = parties::setup(&root)?;
    let parties = parties::told(&setup);
    certificate::write(&state, SystemClock.now())?;
    state.recording_key(&SystemRandomness)?;
    let issuer = DevIssuer::start(setup, Arc::new(SystemClock), Arc::new(SystemRandomness)).await?;
    let source = Source::replaced(&root, stage.instead(&state, &issuer.issuer_url));
    let checked = source.read()?;
    let running = run::start(source, checked).await?;
    state.running(&issuer)?;
    tell::next(&running, &state, &issuer.issuer_url, &parties);
    let code = run::until_stopped(running).await;
    state.stopped();
    Ok(code)
}

/// The bundle to try: the one that was named, one made for the database that was named, the one here, or the one that
/// was made before.
fn root(options: &Options, state: &State) -> Result<PathBuf, DevError> {
    let here = Path::new(".");
    match (&options.config, &options.target_url) {
        (Some(config), _) => Ok(config.clone()),
        (None, Some(url)) => target::bundle(url, state),
        (None, None) if here.join(crate::config::FILE_NAME).is_file() => Ok(here.to_owned()),
        (None, None) if state.bundle().join(crate::config::FILE_NAME).is_file() => {
            Ok(state.bundle())
        }
        (None, None) => Err(DevError::Nothing),
    }
}
