//! `cargo xtask demo` runs this: the demonstration, with what it leaves behind in `target/demo`.
//!
//! Here live finding the gateway's program, and the exit code.

use brattice_testkit::demo;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let brattice = std::env::var_os("BRATTICE_BIN")
        .map_or_else(|| target.join("debug/brattice"), PathBuf::from);
    // target/debug/brattice: what is left behind goes into the same target directory.
    let target = brattice.parent().and_then(Path::parent).unwrap_or(&target);
    match demo::run(&target.join("demo"), &brattice) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\ndemo: {failure}");
            ExitCode::FAILURE
        }
    }
}
