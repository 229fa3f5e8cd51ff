//! `brattice dev`: trying the gateway out, and tokens for it.

use super::args::{DevArgs, DevCommand};
use super::exit::Exit;
use crate::dev::{self, Options};
use std::io::Write;
use std::process::ExitCode;

/// Runs until told to stop, or prints a token.
pub fn run(args: &DevArgs) -> ExitCode {
    match &args.command {
        None => dev::run(&Options {
            config: args.config.clone(),
            target_url: args.target_url.clone(),
            port: args.port,
            api_port: args.api_port,
            state: args.state.clone(),
        }),
        Some(DevCommand::Token(wanted)) => {
            match dev::token(&args.state, &wanted.name, &wanted.on_behalf_of) {
                Ok(token) => {
                    let mut out = std::io::stdout().lock();
                    let told = out
                        .write_all(token.expose())
                        .and_then(|()| out.write_all(b"\n"));
                    told.map_or(Exit::Failed, |()| Exit::Done).into()
                }
                Err(error) => {
                    eprintln!("{error}");
                    Exit::Failed.into()
                }
            }
        }
    }
}
